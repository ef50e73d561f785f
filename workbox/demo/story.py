"""What happened in the demo shop, as a list of acts in time order. Pure: a fixed seed, no database, no clock.

Moments are counted in minutes from the shop's first midnight; `stage` turns them into times that end today.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from workbox.demo.catalogue import BARN, CORRECTIONS, CUSTOMERS, DELIVERY, QUARANTINE, RETURN_REASONS, STORE, Article

SEED = 2026
DAYS = 75
DAY_MINUTES = 24 * 60
WEEKDAY_WEIGHTS = (0.8, 0.8, 0.9, 1.0, 1.3, 1.7, 0.5)  # from Monday
OPEN_DAYS = 2  # the last days' orders are partly still open
RUNNING_OUT = 5  # so many articles are not bought again in the last weeks
RUNNING_OUT_DAYS = 25
FREE_DELIVERY_FROM = Decimal(60)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sale:
    """Somebody bought. `ending` is how far the order has come; `customer` None: over the counter."""

    at: int
    reference: str
    place: str
    lines: tuple[tuple[str, Decimal], ...]
    customer: str | None
    is_web_user: bool = False
    ending: str = "delivered"


@dataclass(frozen=True, slots=True)
class Correction:
    """Goods came in, broke, went missing or were found."""

    at: int
    reference: str
    place: str
    sku: str
    quantity: Decimal
    movement_type: str
    reason: str
    unit_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """One line of an earlier sale came back."""

    at: int
    sale: str
    sku: str
    quantity: Decimal
    reason: str


Act = Sale | Correction | BroughtBack
ENDINGS = ("pending", "confirmed", "partially_shipped", "confirmed", "shipped", "pending", "cancelled", "confirmed")


@dataclass(slots=True)
class Story:
    """The acts, what was there at the start, and from which quantity each article is low."""

    opening: dict[tuple[str, str], Decimal] = field(default_factory=dict)  # (SKU, place) → quantity
    thresholds: dict[str, Decimal] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class _Shop:
    """The shelf as the story goes on."""

    chance: random.Random
    stock: dict[tuple[str, str], Decimal]
    coming: list[tuple[int, str, str, Decimal]] = field(default_factory=list)  # day, SKU, place, quantity


def tell(articles: Sequence[Article], *, orders: int, first_weekday: int) -> Story:
    """The story of a shop with these articles and about that many orders; always the same for the same arguments."""
    chance = random.Random(SEED)  # noqa: S311  (a story, not a secret)
    story = Story()
    sold_per_day = {one.sku: Decimal(one.pull) * orders / (len(articles) * DAYS) / 3 for one in articles}
    for one in articles:
        usual = max(Decimal(8), (sold_per_day[one.sku] * 12).quantize(Decimal(1)))
        story.thresholds[one.sku] = usual
        story.opening[one.sku, BARN] = usual * 3 + chance.randrange(10)
        story.opening[one.sku, STORE] = usual + chance.randrange(8)
    for one in articles[3::11]:
        story.opening[one.sku, QUARANTINE] = Decimal(chance.randrange(2, 7))
    shop = _Shop(chance, dict(story.opening))
    by_sku = {one.sku: one for one in articles}
    running_out = {one.sku for one in sorted(articles, key=lambda one: (-one.pull, one.sku))[: RUNNING_OUT * 2 : 2]}
    numbers = _orders_per_day(orders, first_weekday)
    for day in range(DAYS):
        story.acts += _deliveries(shop, day, by_sku)
        story.acts += _sales(shop, day, numbers[day], articles)
        story.acts += _mishaps(shop, day, articles)
        _order_more(shop, day, story, by_sku, running_out)
    story.acts += _brought_back(chance, story.acts)
    story.acts += _last_pieces(shop, running_out)
    story.acts.sort(key=lambda act: act.at)
    return story


def _orders_per_day(orders: int, first_weekday: int) -> list[int]:
    """So many orders each day, with a weekly pattern and a slow rise; they add up to `orders`."""
    weights = [WEEKDAY_WEIGHTS[(first_weekday + day) % 7] * (1 + day / DAYS / 3) for day in range(DAYS)]
    total = sum(weights)
    ends = [round(orders * sum(weights[: day + 1]) / total) for day in range(DAYS)]
    return [end - before for end, before in zip(ends, [0, *ends], strict=False)]


def _sales(shop: _Shop, day: int, count: int, articles: Sequence[Article]) -> Iterator[Sale]:
    moments = sorted(shop.chance.randrange(9 * 60, 18 * 60) for _ in range(count))
    for number, minute in enumerate(moments):
        is_counter = shop.chance.random() < 0.45
        place = STORE if is_counter and shop.chance.random() < 0.7 else BARN
        lines = tuple(_basket(shop, place, articles))
        if not lines:
            continue
        prices = {one.sku: one.price for one in articles}
        if not is_counter and sum(prices[sku] * quantity for sku, quantity in lines) < FREE_DELIVERY_FROM:
            lines = (*lines, (DELIVERY.sku, Decimal(1)))
        customer = None if is_counter else shop.chance.choice(CUSTOMERS)[0]
        is_open = not is_counter and day >= DAYS - OPEN_DAYS
        yield Sale(
            at=day * DAY_MINUTES + minute,
            reference=f"DEMO-{day:02d}-{number:03d}",
            place=place,
            lines=lines,
            customer=customer,
            is_web_user=not is_counter and shop.chance.random() < 0.15,
            ending=ENDINGS[number % len(ENDINGS)] if is_open else "delivered",
        )


def _basket(shop: _Shop, place: str, articles: Sequence[Article]) -> Iterator[tuple[str, Decimal]]:
    wanted = shop.chance.choices(articles, [one.pull for one in articles], k=shop.chance.choice((1, 1, 2, 2, 3, 4)))
    for one in {article.sku: article for article in wanted}.values():
        quantity = Decimal(shop.chance.choice((1, 1, 1, 2, 2, 3, 6)))
        if one.unit == "kg":
            quantity = Decimal(shop.chance.randrange(2, 21)) / 4
        if shop.stock.get((one.sku, place), ZERO) >= quantity:
            shop.stock[one.sku, place] -= quantity
            yield one.sku, quantity


def _mishaps(shop: _Shop, day: int, articles: Sequence[Article]) -> Iterator[Correction]:
    if day % 4 != 1:
        return
    movement_type, quantity, reason = CORRECTIONS[day // 4 % len(CORRECTIONS)]
    one, place = shop.chance.choice(articles), shop.chance.choice((BARN, STORE))
    if shop.stock[one.sku, place] + quantity < 0:
        return
    shop.stock[one.sku, place] += quantity
    at = day * DAY_MINUTES + 18 * 60 + 30
    yield Correction(at, f"DEMO-COUNT-{day:02d}", place, one.sku, Decimal(quantity), movement_type, reason)


def _deliveries(shop: _Shop, day: int, by_sku: dict[str, Article]) -> Iterator[Correction]:
    arriving = [one for one in shop.coming if one[0] == day]
    shop.coming = [one for one in shop.coming if one[0] != day]
    for _, sku, place, quantity in arriving:
        shop.stock[sku, place] += quantity
        reference = f"DEMO-IN-{day:02d}-{place}-{sku}"
        at = day * DAY_MINUTES + 8 * 60
        yield Correction(
            at, reference, place, sku, quantity, "purchase", "Delivery from the supplier", by_sku[sku].cost
        )


def _order_more(shop: _Shop, day: int, story: Story, by_sku: dict[str, Article], running_out: set[str]) -> None:
    """What fell to its threshold is bought again and arrives days later; the ones running out are not, at the end."""
    on_the_way = {(sku, place) for _, sku, place, _ in shop.coming}
    for sku in by_sku:
        if sku in running_out and day > DAYS - RUNNING_OUT_DAYS:
            continue
        for place, share in ((BARN, 3), (STORE, 1)):
            low = story.thresholds[sku] * (Decimal("1.2") if place == BARN else Decimal("0.4"))
            if shop.stock[sku, place] <= low and (sku, place) not in on_the_way:
                shop.coming.append((day + shop.chance.randrange(2, 6), sku, place, story.thresholds[sku] * share))


def _last_pieces(shop: _Shop, running_out: set[str]) -> Iterator[Correction]:
    """On the last day the shelves of those running out are counted, and hold less than thought."""
    kept: dict[str, int] = defaultdict(int) | {sku: number for number, sku in enumerate(sorted(running_out))}
    at = (DAYS - 1) * DAY_MINUTES + 19 * 60
    for sku in sorted(running_out):
        for place, keep in ((STORE, 0), (BARN, kept[sku])):
            surplus = shop.stock[sku, place] - keep
            if surplus > 0:
                reference = f"DEMO-LAST-{place}-{sku}"
                yield Correction(
                    at, reference, place, sku, -surplus, "adjustment", "Shelf count: less than the books say"
                )


def _brought_back(chance: random.Random, acts: Sequence[Act]) -> Iterator[BroughtBack]:
    for act in acts:
        if not isinstance(act, Sale) or act.customer is None or act.ending != "delivered" or chance.random() > 0.05:
            continue
        at = act.at + chance.randrange(4, 12) * DAY_MINUTES
        if at < (DAYS - 1) * DAY_MINUTES and act.lines[0][0] != DELIVERY.sku:
            sku, quantity = act.lines[0]
            yield BroughtBack(at, act.reference, sku, min(quantity, Decimal(1)), chance.choice(RETURN_REASONS))
