"""The buckets of the object store, by the names with which the edge's addresses begin."""

UPLOADS = "uploads"
"""Masters and pictures as they come."""
AUDIO = "audio"
"""Renditions of tracks, a folder for each attempt."""
PREVIEWS = "previews"
"""What artists hear while their masters are encoded."""
IMAGES = "images"
"""Public pictures."""
ALL = (UPLOADS, AUDIO, PREVIEWS, IMAGES)
