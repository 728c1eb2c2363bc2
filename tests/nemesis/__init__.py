"""Uploads run while a nemesis kills one part after the other at every step of theirs; then everything is looked at."""
