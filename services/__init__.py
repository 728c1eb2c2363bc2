"""The four contexts of Spotilike and what they share."""
