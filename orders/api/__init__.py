"""REST routes of orders."""
