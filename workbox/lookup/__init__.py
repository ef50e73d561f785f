"""The stock lookup: one product with everything that is known of it, and the screens of its forecast."""
