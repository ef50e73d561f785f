"""Drills that try to break WorkBox's promises on the database it is configured for: many threads, one shop.

Each drill makes its own products, acts through the same services as everybody else and reports counts. The tests assert
on the reports (with negative controls beside them); `manage.py stress` prints them for a user's own server.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import connection

from accounts.models import User
from inventory.errors import InsufficientStock
from inventory.models import Product, ProductStock, StockMovement, Warehouse
from inventory.queries import stock_differences
from inventory.services.catalog import OpeningStock, create_product
from orders import services
from orders.errors import IllegalTransition
from orders.models import Order
from orders.services import Item
from workbox.core import events
from workbox.core.db import is_mysql
from workbox.core.errors import Conflict, DomainError
from workbox.core.idempotency import once, request_hash
from workbox.core.models import Event
from workbox.core.numbers import to_json

ONE = Decimal(1)
Act = Callable[[], str]


@dataclass
class Report:
    """What a drill saw: named counts, how long it took, and the sentences that are wrong (none: the promise held)."""

    name: str
    promise: str
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """True when the promise held."""
        return not self.broken

    def expect(self, holds: bool, sentence: str) -> None:
        """Note the sentence as broken unless it holds."""
        if not holds:
            self.broken.append(sentence)


def in_threads(acts: Sequence[Act], *, threads: int) -> Counter[str]:
    """Run the acts on `threads` threads at once; counts their answers, errors by class name."""
    size = min(threads, len(acts))
    start, done = threading.Barrier(size), threading.Barrier(size)
    started = threading.local()

    def run(act: Act) -> str:
        if not getattr(started, "yes", False):
            started.yes = True
            start.wait(timeout=30)
        return act()

    def close(_: int) -> None:
        done.wait(timeout=10)
        connection.close()

    with ThreadPoolExecutor(size) as pool:
        answers = [pool.submit(run, act) for act in acts]
        wait(answers)
        list(pool.map(close, range(size)))
    return Counter(_outcome(answer) for answer in answers)


def _outcome(answer: Future[str]) -> str:
    error = answer.exception()
    if error is None:
        return answer.result()
    name = type(error).__name__
    return name if isinstance(error, DomainError) else f"crash: {name}: {error}"[:120]


def shop(*, products: int, stock: int, prefix: str = "DRILL") -> tuple[User, list[Product]]:
    """A buyer, a warehouse and fresh products with `stock` of each."""
    tag = uuid4().hex[:8]
    buyer = User.objects.create_user(f"drill-{tag}", f"drill-{tag}@example.com")
    warehouse = Warehouse.objects.get_or_create(code="DRILL", defaults={"name": "Drill ground", "priority": 1})[0]
    made = [
        create_product(
            name=f"{prefix} {tag} {number}",
            sku=f"{prefix}-{tag}-{number}",
            price=Decimal("9.99"),
            opening=OpeningStock(Decimal(stock), warehouse.pk) if stock else None,
        )
        for number in range(products)
    ]
    return buyer, made


def crashes(outcomes: Counter[str]) -> list[str]:
    """The outcomes that are neither success nor a refusal in domain words."""
    return [name for name in outcomes if name.startswith("crash") or name in ("Busy", "CommitUnknown")]


def _books_balance(report: Report) -> None:
    differences = [str(one) for one in stock_differences()]
    report.expect(not differences, f"{len(differences)} kept numbers differ: {differences[:1]}")


def deadlocks_so_far() -> int:
    """InnoDB's own deadlock counter (0 elsewhere)."""
    if not is_mysql():
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        row = cursor.fetchone()
    return int(row[1]) if row else 0


def oversell(*, threads: int = 64, orders: int = 2000, units: int = 500) -> Report:
    """Promise 1: `orders` buyers want one of `units` lamps; exactly `units` get one, the others a clear no."""
    report = Report("oversell", "never oversell, never undersell")
    buyer, (lamp,) = shop(products=1, stock=units)

    def buy() -> str:
        services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk)
        return "placed"

    began = time.perf_counter()
    outcomes = in_threads([buy] * orders, threads=threads)
    report.seconds = time.perf_counter() - began
    stock = ProductStock.objects.get(product=lamp)
    report.figures = {"wanted": orders, "units": units, **outcomes, "available_left": stock.available}
    report.expect(outcomes["placed"] == min(units, orders), f"{outcomes['placed']} orders were placed on {units} units")
    report.expect(
        outcomes[InsufficientStock.__name__] == max(orders - units, 0), "a refusal was not insufficient_stock"
    )
    report.expect(not crashes(outcomes), f"crashes: {crashes(outcomes)}")
    report.expect(stock.reserved == min(units, orders), f"{stock.reserved} are reserved")
    _books_balance(report)
    return report


def contention(*, threads: int = 64, orders: int = 1000, products: int = 50, lines: int = 5) -> Report:
    """Promise 6: orders over the same few products in random order never end in an error or a deadlock."""
    report = Report("contention", "contention is never a 500")
    buyer, made = shop(products=products, stock=orders * 3)
    chance = random.Random(4)  # noqa: S311  (a repeatable drill)
    picks = [chance.sample([product.pk for product in made], lines) for _ in range(orders)]

    def buy(pick: Iterable[int]) -> Act:
        def act() -> str:
            services.place_order([Item(product_id, ONE) for product_id in pick], user_id=buyer.pk)
            return "placed"

        return act

    before, began = deadlocks_so_far(), time.perf_counter()
    outcomes = in_threads([buy(pick) for pick in picks], threads=threads)
    report.seconds = time.perf_counter() - began
    deadlocks = deadlocks_so_far() - before
    report.figures = {**outcomes, "deadlocks": deadlocks}
    report.expect(outcomes["placed"] == orders, f"only {outcomes['placed']} of {orders} orders were placed")
    report.expect(deadlocks == 0, f"{deadlocks} deadlocks")
    _books_balance(report)
    return report


def twins(*, threads: int = 50, keys: int = 20) -> Report:
    """Promise 5: `threads` twins of one request under one key make one order and get one answer."""
    report = Report("twins", "duplicates are harmless")
    buyer, (lamp,) = shop(products=1, stock=keys * 2)
    bodies: dict[str, Counter[bytes]] = {}
    lock = threading.Lock()

    def send(key: str) -> Act:
        def work() -> tuple[int, bytes]:
            order = services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk)
            return 201, to_json({"id": order.id})

        def act() -> str:
            for _ in range(20):
                try:
                    answer = once(work, user_id=buyer.pk, key=key, fingerprint=request_hash("POST", "/drill", b"{}"))
                    break
                except Conflict:
                    time.sleep(0.05)  # "still running, ask again in a moment"
            with lock:
                bodies.setdefault(key, Counter())[answer.body] += 1
            return "replayed" if answer.replayed else "first"

        return act

    began = time.perf_counter()
    outcomes: Counter[str] = Counter()
    for _ in range(keys):
        outcomes += in_threads([send(uuid4().hex)] * threads, threads=threads)
    report.seconds = time.perf_counter() - began
    placed = Order.objects.filter(user=buyer).count()
    report.figures = {**outcomes, "orders": placed, "different_bodies": sum(len(one) for one in bodies.values())}
    report.expect(placed == keys, f"{placed} orders for {keys} keys")
    report.expect(all(len(one) == 1 for one in bodies.values()), "twins got different answers")
    report.expect(
        outcomes["first"] + outcomes["replayed"] == keys * threads, f"not every twin was answered: {outcomes}"
    )
    _books_balance(report)
    return report


def transitions(*, threads: int = 3, rounds: int = 100) -> Report:
    """Promise 15: confirm, cancel and ship race on one pending order; each step happens at most once and legally."""
    report = Report("transitions", "legal transitions only, once")
    buyer, (lamp,) = shop(products=1, stock=rounds)
    totals: Counter[str] = Counter()
    began = time.perf_counter()

    def step(name: str, function: Callable[[int], Any], order_id: int) -> Act:
        def act() -> str:
            try:
                function(order_id)
            except IllegalTransition:
                return f"{name} refused"
            return name

        return act

    for _ in range(rounds):
        order = services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk, confirm=False)
        acts = [step("confirm", services.confirm_order, order.id)] * threads
        acts += [step("cancel", services.cancel_order, order.id)] * threads
        acts += [step("ship", services.ship_order, order.id)] * threads
        outcome = in_threads(acts, threads=threads * 3)
        totals += outcome
        status = Order.objects.get(id=order.id).status
        report.expect(
            outcome["confirm"] <= 1 and outcome["cancel"] <= 1 and outcome["ship"] <= 1, f"a step ran twice: {outcome}"
        )
        report.expect(not (outcome["cancel"] and outcome["ship"]), f"order {order.id} was both cancelled and shipped")
        expected = "cancelled" if outcome["cancel"] else "shipped" if outcome["ship"] else "confirmed"
        report.expect(status == expected, f"order {order.id} is {status}, expected {expected}")
        sold = StockMovement.objects.filter(operation__reference=f"ORDER-{order.id}").count()
        report.expect(sold == outcome["ship"], f"order {order.id} has {sold} sale movements")
        report.expect(not crashes(outcome), f"crashes: {crashes(outcome)}")
    report.seconds = time.perf_counter() - began
    report.figures = dict(totals)
    _books_balance(report)
    return report


def stream(*, writers: int = 16, orders: int = 400) -> Report:
    """Promise 11: while writers commit in any order, a follower of `seq` sees every event once, without a gap."""
    report = Report("stream", "every committed event is delivered, with a gapless seq")
    buyer, made = shop(products=8, stock=orders * 2)
    while events.sequence_pending():
        pass
    first = events.head()
    seen: list[int] = []
    stop = threading.Event()

    def follow() -> None:
        position = first
        while True:
            finished = stop.is_set()
            while events.sequence_pending():
                pass
            rows = events.read_after(position)
            seen.extend(row.cursor for row in rows)
            if rows:
                position = rows[-1].cursor
            elif finished:
                break
        connection.close()

    followers = threading.Thread(target=follow)
    followers.start()
    chance = random.Random(11)  # noqa: S311  (a repeatable drill)

    def buy() -> str:
        services.place_order([Item(chance.choice(made).pk, ONE)], user_id=buyer.pk)
        return "placed"

    began = time.perf_counter()
    outcomes = in_threads([buy] * orders, threads=writers)
    stop.set()
    followers.join(timeout=60)
    report.seconds = time.perf_counter() - began
    committed = Event.objects.filter(seq__gt=first // events.PLACES).count()
    pending = Event.objects.filter(seq__isnull=True).count()
    report.figures = {**outcomes, "committed_events": committed, "seen": len(seen), "without_seq": pending}
    begin = first // events.PLACES + 1
    wanted = [cursor for seq in range(begin, begin + committed) for cursor in (seq * events.PLACES, events.end_of(seq))]
    report.expect(seen == wanted, "the follower missed, doubled or reordered facts (one of stock, one of its order)")
    report.expect(committed == outcomes["placed"], f"{committed} events for {outcomes['placed']} orders")
    report.expect(pending == 0, f"{pending} events were left without a seq")
    return report


DRILLS: dict[str, Callable[..., Report]] = {
    "oversell": oversell,
    "contention": contention,
    "twins": twins,
    "transitions": transitions,
    "stream": stream,
}
