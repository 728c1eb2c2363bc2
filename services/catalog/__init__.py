"""The catalog context: artists and their managers, albums, tracks, genres, and masters and pictures on their way in."""
