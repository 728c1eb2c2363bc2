"""The RPCs of processing."""
