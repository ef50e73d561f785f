"""REST routes of `accounts`."""
