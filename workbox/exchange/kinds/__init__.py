"""What can be brought in, one module per subject."""

from workbox.exchange.kinds.base import Kind
from workbox.exchange.kinds.movements import Movements
from workbox.exchange.kinds.orders import Orders
from workbox.exchange.kinds.products import Products
from workbox.exchange.kinds.vendors import Prices, Vendors

KINDS: dict[str, type[Kind]] = {
    "products": Products,
    "vendors": Vendors,
    "prices": Prices,
    "orders": Orders,
    "movements": Movements,
}
