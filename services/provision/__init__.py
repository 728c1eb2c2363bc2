"""Makes what an installation needs before its services start: secrets, databases, streams and buckets."""
