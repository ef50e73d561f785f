"""Promises for a while: the stock of a pending order that waits for its payment.

A hold gives reservations an end, by the database's clock. Whoever finds stock short ends expired holds before deciding,
so that a stopped sweeper changes no decision; the sweeper keeps the shown numbers fresh. Lock order: see `levels.py`.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from inventory.models import Reservation
from inventory.services.levels import Delta, announce, change, hold, read_shelf
from workbox.core.db import execute, is_mysql, marks
from workbox.core.numbers import as_quantity

ZERO = Decimal(0)
ORDER_LINE = Reservation.Holder.ORDER_LINE.value
_EXPIRED = (
    "SELECT r.id, r.level_id, l.product_id, r.quantity, w.is_sellable FROM inventory_hold h"
    " JOIN inventory_reservation r ON r.id = h.reservation_id JOIN inventory_stocklevel l ON l.id = r.level_id"
    " JOIN inventory_warehouse w ON w.id = l.warehouse_id"
    " WHERE h.expires_at <= {now} AND r.quantity > 0 AND l.product_id IN ({products}) ORDER BY r.level_id, r.id"
)


def hold_for(holder_ids: Iterable[int], *, seconds: int) -> None:
    """Let the promises of these order lines end `seconds` from now, by the database's clock.

    Expects the transaction that made them.
    """
    ids = sorted(holder_ids)
    execute(
        "INSERT INTO inventory_hold (reservation_id, expires_at)"  # noqa: S608  (only placeholders)
        f" SELECT id, {_later_sql()} FROM inventory_reservation"
        f" WHERE holder_type = %s AND holder_id IN ({marks(len(ids))})",
        [seconds, ORDER_LINE, *ids],
    )


def end_holds(holder_ids: Iterable[int]) -> bool:
    """Forget when the promises of these order lines would have ended; True when there were any and none has expired.

    Expects the caller's transaction with the order row locked; the promises themselves stay as they are.
    """
    ids = sorted(holder_ids)
    rows = execute(
        f"SELECT h.reservation_id, h.expires_at <= {_now_sql()} FROM inventory_hold h"  # noqa: S608  (only placeholders)
        " JOIN inventory_reservation r ON r.id = h.reservation_id"
        f" WHERE r.holder_type = %s AND r.holder_id IN ({marks(len(ids))})",
        [ORDER_LINE, *ids],
    ).fetchall()
    _drop_holds([one for one, _ in rows])
    return bool(rows) and not any(expired for _, expired in rows)


def _drop_holds(reservation_ids: Sequence[int]) -> None:
    if reservation_ids:
        execute(
            f"DELETE FROM inventory_hold WHERE reservation_id IN ({marks(len(reservation_ids))})",  # noqa: S608  (only placeholders)
            list(reservation_ids),
        )


def release_expired(product_ids: Iterable[int]) -> int:
    """End the expired holds on these products and tell the world; returns how many there were.

    Expects a transaction; holds the products it changes until that ends.
    """
    products = sorted(set(product_ids))
    if not has_expired(products):
        return 0
    hold(products)
    found = _EXPIRED.format(products=marks(len(products)), now=_now_sql())
    rows = execute(found, products).fetchall()  # again, now that nobody else can end or keep them
    if not rows:
        return 0
    ids = [row[0] for row in rows]
    deltas: dict[int, Delta] = {}
    for _, level_id, product_id, quantity, is_sellable in rows:
        before = deltas.get(level_id)
        deltas[level_id] = Delta(
            product_id, ZERO, (before.reserved if before else ZERO) - as_quantity(quantity), bool(is_sellable)
        )
    after = change(deltas)
    _drop_holds(ids)
    execute(f"UPDATE inventory_reservation SET quantity = 0 WHERE id IN ({marks(len(ids))})", ids)  # noqa: S608  (only placeholders)
    announce(read_shelf(after), after)
    return len(ids)


def has_expired(product_ids: Iterable[int]) -> bool:
    """True when an expired hold still stands on one of these products."""
    products = sorted(set(product_ids))
    found = _EXPIRED.format(products=marks(len(products)), now=_now_sql())
    return bool(products) and execute(found, products).fetchone() is not None


def expired_products(*, limit: int) -> list[int]:
    """Products with holds that are over, for the sweeper."""
    rows = execute(
        "SELECT DISTINCT l.product_id FROM inventory_hold h"  # noqa: S608  (only placeholders)
        " JOIN inventory_reservation r ON r.id = h.reservation_id JOIN inventory_stocklevel l ON l.id = r.level_id"
        f" WHERE h.expires_at <= {_now_sql()} AND r.quantity > 0 LIMIT %s",
        [limit],
    ).fetchall()
    return [one for (one,) in rows]


def _now_sql() -> str:
    """The database's own clock, in the form in which moments are stored."""
    return "UTC_TIMESTAMP(6)" if is_mysql() else "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"


def _later_sql() -> str:
    if is_mysql():
        return "UTC_TIMESTAMP(6) + INTERVAL %s SECOND"
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')"
