"""The catalog context: artists and who manages them, albums, tracks, genres, and masters and pictures on their way in."""
