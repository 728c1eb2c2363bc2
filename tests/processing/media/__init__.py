"""Tests of the media pipeline, with the real FFmpeg in its real sandbox."""
