"""The life of an order: place, confirm, ship, deliver, cancel, return, counter sale.

Each step is one transaction: the order row is locked and its status looked at, then stock is promised, shipped or given
back through `inventory.services`, then the news is appended. What the customer pays is fixed on the line when placed.
"""

from orders.services.placed import Item, PlacedLine, PlacedOrder, read_lines, read_order, read_orders
from orders.services.placing import LINES_MAX, Draft, place_order, place_together, require_user
from orders.services.returns import return_order
from orders.services.steps import cancel_order, confirm_order, counter_sale, deliver_order, ship_order

__all__ = [
    "LINES_MAX",
    "Draft",
    "Item",
    "PlacedLine",
    "PlacedOrder",
    "cancel_order",
    "confirm_order",
    "counter_sale",
    "deliver_order",
    "place_order",
    "place_together",
    "read_lines",
    "read_order",
    "read_orders",
    "require_user",
    "return_order",
    "ship_order",
]
