"""Jobs and the worker pool that turns masters into HLS."""
