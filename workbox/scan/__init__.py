"""The scan station: one field, one code after another, each booked by the service of its mode."""
