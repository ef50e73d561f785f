"""The time-line: what happened to a product, an order, a warehouse or an account, as one story, newest first."""
