"""What the forecasts say of products that may run out before an order arrives: reasons for alerts, per warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from insights import curves, facts
from insights.curves import Curves
from insights.models import OPEN, Alert, AlertType
from insights.predictions import Places, Prediction, daily_rate, day_of, number, predict_many
from insights.reasons import WARNING_CHANCE, ZERO, Named, Reason, chance_of_running_out
from inventory.models import Product, Warehouse
from workbox.core.db import in_parts

PRODUCTS_PER_LOOK = 1000


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The curves of the run in force, by warehouse."""

    names: dict[int, str]
    of_place: dict[int, Curves]
    product_ids: frozenset[int]

    @property
    def places(self) -> list[int]:
        """Warehouses that have any."""
        return sorted(self.of_place)

    def candidates(self, place: int, *, assumed_days: float) -> list[int]:
        """Products that look as if they might run out there in time, by a look without a lock."""
        found = self.of_place[place]
        ids: list[int] = []
        for part in in_parts(found.product_ids, PRODUCTS_PER_LOOK):
            rows = Product.objects.filter(id__in=part, is_active=True, is_stocked=True).order_by("id")
            products = list(rows)
            if products:
                seen = predict_many(products, found, _only(place), assumed_days=assumed_days)
                ids += [
                    one.pk
                    for row, one in enumerate(products)
                    if seen.probability[row] >= WARNING_CHANCE and seen.supply.available.get(one.pk, ZERO) > 0
                ]
        return ids

    def reasons(self, products: Sequence[Product], place: int, *, assumed_days: float) -> dict[int, Reason]:
        """Product id → why an alert is due there, or holds on; expects the products to be held."""
        found = self.of_place.get(place)
        known = set(found.product_ids) if found is not None else set()
        mine = [one for one in products if one.pk in known]
        if found is None or not mine:
            return {}
        seen = predict_many(mine, found, _only(place), assumed_days=assumed_days)
        open_ = dict(
            Alert.objects.filter(
                OPEN,
                alert_type=AlertType.PREDICTED_DEPLETION,
                warehouse_id=place,
                product_id__in=[one.pk for one in mine],
            ).values_list("product_id", "severity")
        )
        reasons = {}
        for row, product in enumerate(mine):
            reason = self._reason(seen, row, product, place, open_.get(product.pk, ""))
            if reason is not None:
                reasons[product.pk] = reason
        return reasons

    def _reason(self, seen: Prediction, row: int, product: Product, place: int, open_severity: str) -> Reason | None:
        return chance_of_running_out(
            Named(product.pk, product.sku, product.name),
            chance=float(seen.probability[row]),
            available=seen.supply.available.get(product.pk, ZERO),
            daily_units=number(daily_rate(seen.forecast)[row]),
            lead_time_days=Decimal(number(seen.lead.mean[row], 1)),
            on=day_of(seen, seen.depletion.p50, row),
            place=(place, self.names[place]),
            open_severity=open_severity,
        )


def _only(place: int) -> Places:
    return Places((place,), (place,), place)


def forecasts() -> Forecasts:
    """What the run in force says; nothing while there is none."""
    run = curves.current_run()
    names = dict(Warehouse.objects.filter(is_sellable=True, is_active=True).values_list("id", "name"))
    if run is None:
        return Forecasts(names, {}, frozenset())
    of_place = {one: curves.read(run.pk, None, [one], start_on=facts.today()) for one in sorted(names)}
    ids = frozenset(product_id for one in of_place.values() for product_id in one.product_ids)
    return Forecasts(names, {place: one for place, one in of_place.items() if one.product_ids}, ids)
