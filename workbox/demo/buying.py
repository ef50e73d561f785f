"""Whom the demo shop buys from: vendors with prices that changed, and the orders behind every delivery of the story."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from inventory.queries import low_stock_products
from purchasing.models import PurchaseOrder, Vendor, VendorPrice
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order, send_purchase_order
from purchasing.services.receipts import receive_purchase_order
from purchasing.services.vendors import NewPrice
from workbox.core.db import transact
from workbox.demo.catalogue import Article

CENT = Decimal("0.01")
SENT_REFERENCE, DRAFT_REFERENCE = "DEMO-TO-COME", "DEMO-DRAFT"
OPEN_LINES = 3


@dataclass(frozen=True, slots=True)
class Supplier:
    """A vendor of the demo: what it sells, how dear beside what the shop pays, how fast it says and how fast it is."""

    name: str
    email: str
    categories: frozenset[str]
    factor: Decimal
    quoted_days: int
    usual_days: int
    minimum: int = 1
    pack: int = 1
    shipping: str = "0"


_TOOLS, _POTS, _SEEDS, _SOIL = "Garden tools", "Pots & planters", "Seeds & bulbs", "Soil & feed"
_LIGHT, _TABLE, _CARE = "Lights & lanterns", "Kitchen & table", "Birds & bees"
ONE = Decimal(1)
SUPPLIERS = (
    Supplier(
        "Hollowbrook Growers", "orders@hollowbrook.example", frozenset({_SEEDS, _SOIL, _CARE}), ONE, 4, 5,
        shipping="6.50",
    ),
    Supplier("Ironwood Toolworks", "trade@ironwood.example", frozenset({_TOOLS, _LIGHT}), ONE, 6, 6, minimum=5),
    Supplier("Kiln Street Pottery", "hello@kilnstreet.example", frozenset({_POTS, _TABLE}), ONE, 9, 11, pack=6),
    Supplier(
        "Quayside Wholesale", "desk@quayside.example",
        frozenset({_TOOLS, _POTS, _SEEDS, _SOIL, _LIGHT, _TABLE, _CARE}), Decimal("1.02"), 3, 2, minimum=10,
    ),
)  # fmt: skip


def set_up_vendors(shelf: Sequence[Article], products: Mapping[str, int], *, opened: datetime) -> dict[str, int]:
    """The demo's vendors with last year's prices and today's; returns who delivers which SKU."""
    found = dict(Vendor.objects.filter(name__in=[one.name for one in SUPPLIERS]).values_list("name", "id"))
    priced = set(VendorPrice.objects.filter(vendor_id__in=found.values()).values_list("vendor_id", "product_id"))
    stocked = [one for one in shelf if one.is_stocked]
    for supplier in SUPPLIERS:
        if supplier.name not in found:
            values = {
                "name": supplier.name,
                "contact_email": supplier.email,
                "quoted_lead_time_days": supplier.quoted_days,
            }
            found[supplier.name] = vendors.create_vendor(values).pk
        own = [one for one in stocked if one.category in supplier.categories]
        missing = [one for one in own if (found[supplier.name], products[one.sku]) not in priced]
        transact(lambda one=supplier, rest=missing: _price_all(found[one.name], one, rest, products, opened))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    main = {category: found[one.name] for one in reversed(SUPPLIERS) for category in one.categories}
    return {one.sku: main[one.category] for one in stocked}


def _price_all(
    vendor_id: int, supplier: Supplier, shelf: Iterable[Article], products: Mapping[str, int], opened: datetime
) -> None:
    for one in shelf:
        today = (one.cost * supplier.factor).quantize(CENT)
        for factor, since in ((Decimal("0.95"), opened - timedelta(days=200)), (ONE, opened)):
            price = (today * factor).quantize(CENT)
            vendors.add_price(
                vendor_id,
                NewPrice(
                    product_id=products[one.sku],
                    unit_price=price,
                    minimum_order_quantity=Decimal(supplier.minimum),
                    pack_quantity=Decimal(supplier.pack),
                    shipping_cost=Decimal(supplier.shipping),
                    breaks=[(Decimal(100), (price * Decimal("0.94")).quantize(CENT))],
                ),
                valid_from=since,
            )


def deliver(
    vendor_id: int,
    item: PurchaseItem,
    *,
    warehouse_id: int,
    reference: str,
    arrived_at: datetime,
    buyer_id: int,
    clerk_id: int,
) -> None:
    """What came in was ordered some days before; the whole order is there or not."""
    usual = {one.name: one.usual_days for one in SUPPLIERS}[Vendor.objects.get(pk=vendor_id).name]
    wobble = sum(reference.encode()) % 5 - 2  # the same every time, and believable
    sent_at = arrived_at - timedelta(days=max(usual + wobble, 1))

    def work() -> None:
        order = create_purchase_order(
            vendor_id,
            [item],
            warehouse_id=warehouse_id,
            reference=reference,
            created_by_id=buyer_id,
            created_at=sent_at,
        )
        send_purchase_order(order.pk, sent_at=sent_at)
        receive_purchase_order(order.pk, received_at=arrived_at, received_by_id=clerk_id)

    transact(work)


def order_what_is_low(sellers: Mapping[str, int], *, warehouse_id: int, buyer_id: int, now: datetime) -> None:
    """One order is on its way and one still a draft, both for what is low."""
    low = [one for one in low_stock_products() if one.sku in sellers]
    for reference, rows in ((SENT_REFERENCE, low[:OPEN_LINES]), (DRAFT_REFERENCE, low[OPEN_LINES:])):
        mine = [one for one in rows if sellers[one.sku] == sellers[rows[0].sku]]
        if not mine or PurchaseOrder.objects.filter(reference=reference).exists():
            continue
        items = [PurchaseItem(one.pk, one.reorder_quantity or Decimal(10)) for one in mine]
        sent_at = now - timedelta(days=1)

        def work(
            vendor_id: int = sellers[mine[0].sku],
            items: Sequence[PurchaseItem] = items,
            reference: str = reference,
            sent_at: datetime = sent_at,
        ) -> None:
            order = create_purchase_order(
                vendor_id,
                items,
                warehouse_id=warehouse_id,
                reference=reference,
                created_by_id=buyer_id,
                created_at=sent_at,
            )
            if reference == SENT_REFERENCE:
                send_purchase_order(order.pk, sent_at=sent_at)

        transact(work)


def delivered_before() -> set[str]:
    """The references of deliveries that were played before."""
    rows = PurchaseOrder.objects.filter(reference__startswith="DEMO-IN-")
    return set(rows.values_list("reference", flat=True))
