"""What the services share: one module per worry. Nothing enters before two services need it."""
