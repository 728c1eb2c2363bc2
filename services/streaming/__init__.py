"""The streaming context: playbacks, what was heard of them, and the keys of media tokens."""
