"""`seed`: demo artists whose music is made here, published through the public API like anybody else's."""
