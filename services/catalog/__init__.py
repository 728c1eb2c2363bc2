"""The catalog context: artists and who manages them, albums, tracks, genres, and masters on their way in."""
