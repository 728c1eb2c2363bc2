"""From an uploaded picture to the squares that are shown."""
