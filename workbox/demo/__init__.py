"""The demo shop.

`catalogue` is what it sells, `story` what happened in it (pure), `stage` plays that through the services.
"""
