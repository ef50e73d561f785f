"""Why an alert is raised: what is wrong with a product, in numbers and in words. Nothing is read or written here."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from insights.models import AlertType, Severity
from insights.models.alerts import MESSAGE_LENGTH, TITLE_LENGTH
from workbox.core.numbers import plain

ZERO = Decimal(0)
CRITICAL_SHARE = 2  # at or below threshold / 2 it hurries
CRITICAL_DAYS = Decimal(7)
OK, LOW, VERY_LOW = 0, 1, 2
_DAY_STEP, _UNIT_STEP = Decimal("0.1"), Decimal("0.001")
_DAYS_LEFT_MAX = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class Named:
    """A product as sentences call it."""

    id: int
    sku: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is wrong with a product now; an alert about `subject` is open while it holds.

    `current_quantity` is the number that is wrong, `threshold` the limit it passed. What happened once (a day, a
    movement) is named in `happened_on` and `movement_id`: such a reason is not raised twice.
    """

    alert_type: str
    severity: str
    product: Named
    title: str
    message: str
    current_quantity: Decimal
    threshold: Decimal
    warehouse_id: int | None = None
    rule: str = ""
    daily_units: Decimal | None = None
    days_left: Decimal | None = None
    predicted_on: date | None = None
    happened_on: date | None = None
    movement_id: int | None = None

    @property
    def subject(self) -> str:
        """What about what: the text that only one open alert may have."""
        place = self.warehouse_id or "-"
        rule = f":{self.rule}" if self.rule else ""
        return f"{self.alert_type}:product:{self.product.id}:warehouse:{place}{rule}"


# ---- low stock -------------------------------------------------------------------------------------------------------
def low_subject(product_id: int, warehouse_id: int | None = None) -> str:
    """The subject of alerts that the product is low on stock, as a whole or in one warehouse."""
    return f"{AlertType.LOW_STOCK}:product:{product_id}:warehouse:{warehouse_id or '-'}"


def zone(available: Decimal, threshold: Decimal) -> int:
    """How low that is: OK above the threshold, LOW at or below it, VERY_LOW at or below half of it."""
    if available > threshold:
        return OK
    return VERY_LOW if available * CRITICAL_SHARE <= threshold else LOW


def low_stock(
    product: Named, *, available: Decimal, threshold: Decimal, place: tuple[int, str] | None = None
) -> Reason | None:
    """So little of it is available (in `place`: warehouse id and name) that it has to be ordered or brought there.

    None above the threshold.
    """
    how_low = zone(available, threshold)
    if how_low == OK:
        return None
    left = f"{plain(available)} left" if available > 0 else "none left"
    here, act = (f" in {place[1]}", "reordered or brought there") if place else ("", "reordered")
    return Reason(
        AlertType.LOW_STOCK.value,
        Severity.CRITICAL.value if how_low == VERY_LOW else Severity.WARNING.value,
        product,
        _cut(f"{product}: {left}{here}, the threshold is {plain(threshold)}", TITLE_LENGTH),
        _cut(
            f"{plain(available)} of {product} can be ordered{here}; at or below {plain(threshold)} it has to be {act}.",
            MESSAGE_LENGTH,
        ),
        available,
        threshold,
        warehouse_id=place[0] if place else None,
    )


# ---- predicted depletion ---------------------------------------------------------------------------------------------
def days_left(available: Decimal, daily_units: Decimal) -> Decimal | None:
    """For how many days the stock lasts at that rate; None when nothing is sold."""
    if daily_units <= 0:
        return None
    return min(available / daily_units, _DAYS_LEFT_MAX).quantize(_DAY_STEP, ROUND_HALF_UP)


def depletion(
    product: Named, *, available: Decimal, daily_units: Decimal, today: date, within_days: int, lead_time_days: int
) -> Reason | None:
    """It will be used up within so many days if it sells on as it did; critical within a week or the lead time.

    None when it lasts longer, does not sell, or is used up already (then it is low on stock).
    """
    left = days_left(available, daily_units)
    if left is None or available <= 0 or left > within_days:
        return None
    on = today + timedelta(days=int(left))
    rate = plain(daily_units.quantize(Decimal("0.01"), ROUND_HALF_UP))
    lead = f"; a vendor needs {lead_time_days} days" if lead_time_days else ""
    return Reason(
        AlertType.PREDICTED_DEPLETION.value,
        Severity.CRITICAL.value if left <= max(CRITICAL_DAYS, Decimal(lead_time_days)) else Severity.WARNING.value,
        product,
        _cut(f"{product} runs out in {plain(left)} days, on {on}", TITLE_LENGTH),
        _cut(
            f"{plain(available)} of {product} can be ordered and {rate} are sold a day (28-day mean of the days it was"
            f" in stock): used up on {on}{lead}.",
            MESSAGE_LENGTH,
        ),
        available,
        Decimal(within_days),
        daily_units=daily_units.quantize(_UNIT_STEP, ROUND_HALF_UP),
        days_left=left,
        predicted_on=on,
    )


WARNING_CHANCE, CRITICAL_CHANCE = 0.2, 0.5
HOLDS_SHARE = 0.5  # an alert that is open holds down to half the chance that raised it


def chance_of_running_out(
    product: Named,
    *,
    chance: float,
    available: Decimal,
    daily_units: Decimal,
    lead_time_days: Decimal,
    on: date | None,
    place: tuple[int, str],
    open_severity: str = "",
) -> Reason | None:
    """By the forecast it may run out in `place` before an order placed today arrives: critical from one in two on.

    `open_severity`: of the alert that is open about it; it and its severity hold until half the chance is reached. None
    below, or when it is used up already (then it is low on stock).
    """
    if available <= 0 or chance < WARNING_CHANCE * (HOLDS_SHARE if open_severity else 1):
        return None
    limit = CRITICAL_CHANCE * (HOLDS_SHARE if open_severity == Severity.CRITICAL else 1)
    percent = f"{chance * 100:.0f} %"
    rate = plain(daily_units.quantize(Decimal("0.01"), ROUND_HALF_UP))
    when = f"used up on {on} most likely" if on else "it may last"
    return Reason(
        AlertType.PREDICTED_DEPLETION.value,
        Severity.CRITICAL.value if chance >= limit else Severity.WARNING.value,
        product,
        _cut(f"{product}: runs out in {place[1]} with {percent} before an order can arrive", TITLE_LENGTH),
        _cut(
            f"{plain(available)} of {product} are available in {place[1]} and {rate} a day are expected; an order takes"
            f" {plain(lead_time_days)} days. With {percent} it runs out before; {when}.",
            MESSAGE_LENGTH,
        ),
        available,
        lead_time_days,
        warehouse_id=place[0],
        daily_units=daily_units.quantize(_UNIT_STEP, ROUND_HALF_UP),
        days_left=days_left(available, daily_units),
        predicted_on=on,
    )


# ---- unusual activity ------------------------------------------------------------------------------------------------
def sales_spike(product: Named, *, units: Decimal, day: date, mean: Decimal, limit: Decimal) -> Reason:
    """Far more of it was sold on that day than on the sixty before; critical at twice the limit."""
    usual = plain(mean.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return Reason(
        AlertType.UNUSUAL_ACTIVITY.value,
        Severity.CRITICAL.value if units >= limit * 2 else Severity.WARNING.value,
        product,
        _cut(f"{product}: {plain(units)} sold on {day}, usually {usual} a day", TITLE_LENGTH),
        _cut(
            f"{plain(units)} of {product} were sold on {day}; on the 60 days before it were {usual} a day, and above"
            f" {plain(limit)} it counts as unusual.",
            MESSAGE_LENGTH,
        ),
        units,
        limit,
        rule="sales",
        daily_units=mean.quantize(_UNIT_STEP, ROUND_HALF_UP),
        happened_on=day,
    )


def write_off(
    product: Named,
    *,
    units: Decimal,
    before: Decimal,
    limit: Decimal,
    place: tuple[int, str],
    movement: tuple[int, date],
) -> Reason:
    """An adjustment took away a large part of what stood there; critical when it took all of it.

    `place` is the warehouse's id and name, `movement` the movement's id and day.
    """
    return Reason(
        AlertType.UNUSUAL_ACTIVITY.value,
        Severity.CRITICAL.value if units >= before else Severity.WARNING.value,
        product,
        _cut(f"{product}: {plain(units)} of {plain(before)} written off in {place[1]}", TITLE_LENGTH),
        _cut(
            f"Movement {movement[0]} took {plain(units)} of the {plain(before)} {product} in {place[1]} off the books"
            f" on {movement[1]}; above {plain(limit)} it counts as unusual.",
            MESSAGE_LENGTH,
        ),
        units,
        limit,
        warehouse_id=place[0],
        rule="write-off",
        happened_on=movement[1],
        movement_id=movement[0],
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
