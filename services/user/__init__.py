"""The user context: accounts, credentials, sessions, and the keys of access tokens."""
