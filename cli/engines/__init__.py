"""The real engines (PostgreSQL, NATS, SeaweedFS, Envoy), run from wheels and supervised on one machine."""
