"""The processing context on the wire: one module per service of the contract."""
