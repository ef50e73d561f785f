"""What the demo shop sells, where it stands and who buys it. All of it is made up."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, product

SHOP_NAME = "Fernhill Garden & Home"
EAN_PREFIX = "2001"  # numbers from 20 are for use inside a shop; no maker owns them


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse of the demo."""

    code: str
    name: str
    address: str
    priority: int
    is_sellable: bool = True


BARN, STORE, QUARANTINE = "BARN", "RIVER", "HOLD"
PLACES = (
    Place(BARN, "Fernhill barn", "1 Mill Lane, Fernhill", 1),
    Place(STORE, "Riverside store", "22 Quay Street, Fernhill", 2),
    Place(QUARANTINE, "Inspection cage", "1 Mill Lane, Fernhill", 9, is_sellable=False),
)


@dataclass(frozen=True, slots=True)
class Article:
    """A product of the demo; `pull` is how often it is asked for beside the others."""

    sku: str
    name: str
    category: str
    price: Decimal
    cost: Decimal
    pull: int
    unit: str = "piece"
    is_stocked: bool = True
    barcode: str = ""


_TOOLS, _POTS, _SEEDS, _SOIL, _LIGHT, _TABLE, _CARE = (
    "Garden tools", "Pots & planters", "Seeds & bulbs", "Soil & feed", "Lights & lanterns", "Kitchen & table",
    "Birds & bees",
)  # fmt: skip
_SHELF = (
    ("TROWEL", "Hand trowel, ash handle", _TOOLS, "12.50", "5.90", 9),
    ("PRUNER", "Bypass pruner", _TOOLS, "24.90", "11.80", 7),
    ("HOE", "Dutch hoe", _TOOLS, "29.00", "14.20", 3),
    ("GLOVES-M", "Gardening gloves, medium", _TOOLS, "8.95", "3.40", 12),
    ("GLOVES-L", "Gardening gloves, large", _TOOLS, "8.95", "3.40", 10),
    ("TWINE", "Jute twine, 100 m", _TOOLS, "4.20", "1.35", 14),
    ("CAN-5", "Watering can, 5 l", _TOOLS, "18.50", "8.10", 6),
    ("KNEELER", "Kneeling pad", _TOOLS, "15.00", "6.20", 4),
    ("POT-12", "Terracotta pot, 12 cm", _POTS, "3.60", "1.20", 18),
    ("POT-20", "Terracotta pot, 20 cm", _POTS, "7.80", "2.90", 13),
    ("POT-30", "Terracotta pot, 30 cm", _POTS, "16.50", "6.80", 6),
    ("SAUCER-20", "Saucer, 20 cm", _POTS, "3.20", "1.05", 9),
    ("TROUGH", "Zinc trough", _POTS, "34.00", "17.50", 3),
    ("HANGER", "Macramé plant hanger", _POTS, "13.90", "5.20", 5),
    ("SEED-TRAY", "Seed tray with lid", _POTS, "6.40", "2.30", 8),
    ("SD-POPPY", "Field poppy seeds", _SEEDS, "2.80", "0.70", 15),
    ("SD-BEAN", "Runner bean seeds", _SEEDS, "3.10", "0.85", 12),
    ("SD-TOMATO", "Heritage tomato seeds", _SEEDS, "3.40", "0.95", 16),
    ("SD-BASIL", "Sweet basil seeds", _SEEDS, "2.40", "0.60", 14),
    ("BULB-TULIP", "Tulip bulbs, bag of 20", _SEEDS, "9.90", "4.10", 8),
    ("BULB-CROCUS", "Crocus bulbs, bag of 30", _SEEDS, "7.50", "2.95", 7),
    ("GRASS-KG", "Lawn seed, loose", _SEEDS, "11.20", "5.60", 6),
    ("COMPOST-20", "Peat-free compost, 20 l", _SOIL, "8.40", "3.90", 17),
    ("BARK-KG", "Pine bark, loose", _SOIL, "1.90", "0.65", 9),
    ("FEED-1L", "Seaweed feed, 1 l", _SOIL, "9.60", "4.05", 8),
    ("GRIT-KG", "Horticultural grit, loose", _SOIL, "1.45", "0.48", 7),
    ("LANTERN-S", "Storm lantern, small", _LIGHT, "19.90", "8.70", 6),
    ("LANTERN-L", "Storm lantern, large", _LIGHT, "32.50", "15.10", 4),
    ("SOLAR-10", "Solar string lights, 10 m", _LIGHT, "27.80", "12.60", 7),
    ("CANDLE-BEES", "Beeswax candle", _LIGHT, "6.90", "2.60", 11),
    ("CITRON", "Citronella candle in a tin", _LIGHT, "7.40", "2.85", 9),
    ("MUG-STONE", "Stoneware mug", _TABLE, "11.80", "4.60", 10),
    ("JUG-ENAMEL", "Enamel jug, 1.5 l", _TABLE, "17.20", "7.40", 5),
    ("TOWEL-LINEN", "Linen tea towel", _TABLE, "9.20", "3.70", 9),
    ("APRON", "Canvas apron", _TABLE, "28.00", "12.90", 3),
    ("BOARD-OAK", "Oak chopping board", _TABLE, "36.00", "18.20", 3),
    ("FEEDER", "Bird feeder, copper roof", _CARE, "22.40", "9.90", 6),
    ("SEED-BIRD-KG", "Wild bird seed, loose", _CARE, "3.80", "1.60", 13),
    ("BEE-HOUSE", "Bee house", _CARE, "18.90", "8.30", 5),
    ("NEST-BOX", "Nest box for tits", _CARE, "16.80", "7.20", 4),
)
DELIVERY = Article("DELIVERY", "Delivery to your door", "Services", Decimal("4.90"), Decimal(0), 0, is_stocked=False)
_FINISHES = ("", "moss", "slate", "rust", "chalk", "plum", "ochre", "midnight", "sage", "clay", "ivory", "tar")
_EDITIONS = ("", "second edition", "gift-wrapped", "pair", "box of six", "for the trade", "winter", "spring", "summer")
PRODUCTS_MAX = len(_SHELF) * len(_FINISHES) * len(_EDITIONS)


def articles(count: int) -> list[Article]:
    """The first `count` articles; past the shelf's length they come in further finishes and editions."""
    return list(islice(_all_articles(), count))


def _all_articles() -> Iterator[Article]:
    number = 0
    for edition, finish in product(_EDITIONS, _FINISHES):
        for stem, name, category, price, cost, pull in _SHELF:
            number += 1
            marks = [mark for mark in (finish, edition) if mark]
            sku = "-".join(["FH", stem, *(mark.replace(" ", "-").upper() for mark in marks)])
            yield Article(
                sku=sku,
                name=", ".join([name, *marks]),
                category=category,
                price=Decimal(price),
                cost=Decimal(cost),
                pull=pull,
                unit="kg" if stem.endswith("-KG") else "piece",
                barcode=ean13(f"{EAN_PREFIX}{number:08d}"),
            )


def ean13(digits: str) -> str:
    """Twelve digits with their EAN-13 check digit."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


CUSTOMERS = (
    ("FH-K01", "Allotment Society Fernhill"),
    ("FH-K02", "The Copper Kettle tea room"),
    ("FH-K03", "Ida Rosenquist"),
    ("FH-K04", "Meadowbank primary school"),
    ("FH-K05", "Tobias Okafor"),
    ("FH-K06", "Hotel Zum Anker"),
    ("FH-K07", "Mirela Costin"),
    ("FH-K08", "Greenway landscapers"),
    ("FH-K09", "Wei-Lin Tan"),
    ("FH-K10", "Parish hall committee"),
    ("FH-K11", "Jonas Lindqvist"),
    ("FH-K12", "Bramble & Daughter florists"),
)
CORRECTIONS = (
    ("damaged", -2, "Broken in transit"),
    ("adjustment", -1, "Shelf count: one missing"),
    ("adjustment", 3, "Shelf count: found behind the pallet"),
    ("damaged", -1, "Water damage"),
    ("adjustment", -2, "Used for the window display"),
)
RETURN_REASONS = ("Arrived chipped", "Wrong size", "Changed their mind", "Ordered twice")
