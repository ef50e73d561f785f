"""A shop behind walls, for tests: an open warehouse, and one behind the wall with a document of every kind in it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import User
from insights.models import Alert
from inventory.models import Product, StockLevel, Warehouse
from inventory.services import counts, ledger, transfers
from inventory.services.ledger import Movement
from orders.services import Item, place_order
from purchasing.services import orders as purchases
from purchasing.services import receipts, vendors
from purchasing.services.orders import PurchaseItem
from workbox.exchange.models import Import
from workbox.jobs.models import Job

HIDDEN = "BETA-HIDDEN"
HIDDEN_ID = 7_700_001


@dataclass
class Shop:
    """A shop with an open warehouse and one behind the wall, of which everything carries HIDDEN or HIDDEN_ID."""

    lamp: Product
    open: Warehouse
    beta: Warehouse
    gamma: Warehouse
    vendor_id: int
    ids: dict[str, int] = field(default_factory=dict)

    def filled(self, value: Any) -> Any:
        """A body with its letters replaced by ids."""
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        letters = {"P": self.lamp.pk, "W": self.beta.pk, "A": self.open.pk, "V": self.vendor_id}
        return letters.get(value, value) if isinstance(value, str) else value


def build(lamp: Product, main: Warehouse, boss: User) -> Shop:
    """The shop: `lamp` lies in `main`; everything else is put behind the wall by `boss`."""
    beta = Warehouse.objects.create(id=HIDDEN_ID, name=HIDDEN, code=HIDDEN, priority=9)
    gamma = Warehouse.objects.create(id=HIDDEN_ID + 1, name=f"{HIDDEN} 2", code="GAMMA", priority=10)
    found = Shop(lamp, main, beta, gamma, vendors.create_vendor({"name": "Northwind Mill"}).pk)
    StockLevel.objects.create(product=lamp, warehouse=gamma, reorder_threshold=0, bin=HIDDEN)
    posted = ledger.post(
        [Movement(lamp.pk, beta.pk, "purchase", Decimal(50), Decimal(3))],
        reason=HIDDEN,
        reference=HIDDEN,
        actor_id=boss.pk,
    )
    found.ids |= {"warehouse": beta.pk, "operation": posted.operation_id, "movement": posted.movement_ids[0]}
    found.ids["transfer"] = transfers.create_transfer(
        {lamp.pk: Decimal(2)}, from_warehouse_id=beta.pk, to_warehouse_id=gamma.pk, notes=HIDDEN
    ).id
    found.ids["count"] = counts.open_count(beta.pk, notes=HIDDEN).id
    found.ids["order"] = place_order(
        [Item(lamp.pk, Decimal(1))], user_id=boss.pk, warehouse_id=beta.pk, notes=HIDDEN
    ).id
    order = purchases.create_purchase_order(
        found.vendor_id, [PurchaseItem(lamp.pk, Decimal(5), Decimal(2))], warehouse_id=beta.pk, notes=HIDDEN
    )
    purchases.send_purchase_order(order.pk)
    receipts.receive_purchase_order(order.pk, [receipts.Received(lamp.pk, Decimal(2))])
    found.ids["purchase"] = order.pk
    now = timezone.now()
    found.ids["alert"] = Alert.objects.create(
        alert_type="unusual_activity", severity="medium", product=lamp, warehouse=beta, subject="x", open_key="x",
        title=HIDDEN, message=HIDDEN, current_quantity=1, threshold=1, raised_at=now, last_seen_at=now,
    ).pk  # fmt: skip
    found.ids["job"] = Job.objects.create(kind="export", params={"what": HIDDEN}, created_by=boss).pk
    found.ids["import"] = Import.objects.create(
        what="movements", format="csv", original_name=HIDDEN, created_by=boss, state="ready"
    ).pk
    return found
