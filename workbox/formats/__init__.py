"""How dates and times are written everywhere: ISO, in UTC."""
