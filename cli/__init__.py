"""The `spotilike` command: start, watch, test and fill Spotilike on one machine."""
