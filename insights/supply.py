"""What there is and what is to come of products, now: available, on order, in transit, and how long vendors take.

Read afresh for every answer: a forecast may be an hour old, stock may not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from django.db.models import F, Max, Sum

from insights.facts import ZERO
from insights.forecasting import Arrival, LeadTimes
from insights.forecasting.lead_time import ASSUMED, ASSUMED_DAYS, QUOTED, QUOTED_SD_SHARE, RECEIPTS
from inventory.models import StockLevel, Transfer, TransferLine
from purchasing.models import PurchaseOrderLine
from purchasing.offers import Terms
from purchasing.queries import Incoming, LeadTime, current_terms, incoming, lead_times
from purchasing.states import ON_ORDER, PurchaseStatus
from workbox.core.db import in_parts
from workbox.core.numbers import as_quantity

IDS_PER_STATEMENT = 1000


@dataclass(slots=True)
class Supply:
    """Per product: what is available in the places asked for, and what is to come into them."""

    available: dict[int, Decimal] = field(default_factory=dict)
    coming: dict[int, list[Incoming]] = field(default_factory=lambda: defaultdict(list))
    in_transit: dict[int, Decimal] = field(default_factory=dict)
    on_order: dict[int, Decimal] = field(default_factory=dict)
    newest_line: dict[int, int] = field(default_factory=dict)
    terms: dict[int, list[Terms]] = field(default_factory=dict)
    times: dict[tuple[int, int], LeadTime] = field(default_factory=dict)

    def position(self, product_id: int) -> Decimal:
        """Available, on order (drafts too) and in transit."""
        parts = (self.available, self.on_order, self.in_transit)
        return sum((one.get(product_id, ZERO) for one in parts), ZERO)

    def due(self, product_id: int, *, until: date, today: date) -> Decimal:
        """What vendors are to bring from today until then, by the dates on the orders."""
        dated = (one for one in self.coming.get(product_id, ()) if one.expected_on is not None)
        return sum((one.quantity for one in dated if today <= (one.expected_on or today) <= until), ZERO)

    def without_a_day(self, product_id: int, *, today: date) -> Decimal:
        """What is on order, but overdue or without a date: nobody knows when it comes."""
        rows = self.coming.get(product_id, ())
        return sum((one.quantity for one in rows if one.expected_on is None or one.expected_on < today), ZERO)

    def arrivals(self, product_ids: Sequence[int], *, today: date) -> list[Arrival]:
        """What comes on a known day, per row of the ids; what is in transit between warehouses comes tomorrow."""
        found = []
        for row, product_id in enumerate(product_ids):
            moving = self.in_transit.get(product_id, ZERO)
            if moving > 0:
                found.append(Arrival(row, 2, float(moving)))
            found += [
                Arrival(row, (one.expected_on - today).days + 1, float(one.quantity))
                for one in self.coming.get(product_id, ())
                if one.expected_on is not None and one.expected_on >= today
            ]
        return found

    def fastest(self, product_id: int) -> LeadTime | None:
        """The lead time of the vendor who brings it soonest; None when nobody sells it to us."""
        known = [self.times[one.vendor_id, product_id] for one in self.terms.get(product_id, ())]
        return min(known, key=lambda one: one.mean_days, default=None)


def read_supply(product_ids: Sequence[int], places: Sequence[int], *, with_drafts: bool = False) -> Supply:
    """The supply of these products in these warehouses."""
    found = Supply()
    for part in in_parts(list(product_ids), IDS_PER_STATEMENT):
        levels = StockLevel.objects.filter(product_id__in=part, warehouse_id__in=places).order_by()
        for product_id, units in levels.values_list("product_id").annotate(units=Sum(F("on_hand") - F("reserved"))):
            found.available[product_id] = as_quantity(units)
        for one in incoming(part):
            if one.warehouse_id in places:
                found.coming[one.product_id].append(one)
        moving = TransferLine.objects.filter(
            product_id__in=part,
            transfer__status=Transfer.Status.IN_TRANSIT,
            transfer__to_warehouse_id__in=places,
        ).order_by()
        for product_id, units in moving.values_list("product_id").annotate(units=Sum("quantity")):
            found.in_transit[product_id] = as_quantity(units)
        if with_drafts:
            for product_id, units, line_id in _ordered(part, places):
                found.on_order[product_id], found.newest_line[product_id] = as_quantity(units), line_id
        found.terms |= current_terms(part)
    wanted = [(one.vendor_id, key, one.lead_time_days) for key, ones in found.terms.items() for one in ones]
    found.times = lead_times(wanted) if wanted else {}
    return found


def _ordered(product_ids: Sequence[int], places: Sequence[int]) -> Iterable[tuple[int, Decimal, int]]:
    """Product, what is open on purchase orders (drafts too), and the newest line of these."""
    rows = PurchaseOrderLine.objects.filter(
        product_id__in=product_ids,
        order__warehouse_id__in=places,
        order__status__in=sorted(ON_ORDER | {PurchaseStatus.DRAFT}),
        received_quantity__lt=F("quantity"),
    ).order_by()
    return rows.values_list("product_id").annotate(units=Sum(F("quantity") - F("received_quantity")), line=Max("id"))


def as_lead_times(times: Iterable[LeadTime | None], *, assumed_days: float = ASSUMED_DAYS) -> LeadTimes:
    """Lead times as the forecasts take them; who has no vendor gets seven days (or as told), assumed."""
    mean, sd, source = [], [], []
    for one in times:
        if one is None:
            mean.append(assumed_days)
            sd.append(assumed_days * QUOTED_SD_SHARE)
            source.append(ASSUMED)
        else:
            mean.append(float(one.mean_days))
            sd.append(float(one.sd_days))
            source.append(RECEIPTS if one.is_measured else QUOTED)
    return LeadTimes(np.array(mean, float), np.array(sd, float), np.array(source, str))


def floats(values: Mapping[int, Decimal], ids: Sequence[int]) -> Any:
    """The values of these ids as numbers for the arithmetic, 0 where there is none."""
    return np.array([float(values.get(one, ZERO)) for one in ids], float)
