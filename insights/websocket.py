"""The dashboard's sockets: the snapshot on a board that a server process draws once for all who look at it."""

from accounts.capabilities import REPORTS_READ
from insights.snapshot import snapshot_text
from workbox.core import events
from workbox.core.board import BoardConsumer


class DashboardBoard(BoardConsumer):
    """Today beside yesterday, what runs out, what sells best: anew after every fact about orders, stock, products."""

    capability = REPORTS_READ
    topics = frozenset({events.ORDERS, events.STOCK, events.CATALOG})
    draw = staticmethod(snapshot_text)
