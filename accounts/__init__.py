"""Who: users, roles and tokens."""
