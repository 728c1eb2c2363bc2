"""Tests of the promises which Spotilike makes; the folders mirror those of the code."""
