"""How every context's migrations are run."""
