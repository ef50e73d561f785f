"""Jobs: long work that a worker does while the asker goes on; docs/decisions/0008 says why they stand here."""
