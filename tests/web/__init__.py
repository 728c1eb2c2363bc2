"""Tests of the player and the studio, in a real browser against a real installation."""
