#!/usr/bin/env python3
"""`make bench`: WorkBox in production settings beside the reference peer, on throwaway MariaDB + Redis, in one run.

HTTP by granian (WSGI, two workers), /ws by uvicorn. The loads and the peer come from ../shared/bench (or
WORKBOX_BENCH); without them it ends at once and says so. Only ratios of one run mean anything on a shared
machine.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import importlib.util
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from services import Services, free_port, running, stop_on_signals

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS = 5000
SOCKETS = 1000
FANOUT_EVENTS = 30
# name: (kind, WorkBox path, peer path, WorkBox-only environment)
CASES: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "order": ("order", "/api/v1/orders/", "/orders", {"K_KEYED": "1"}),
    "order, no key": ("order", "/api/v1/orders/", "/orders", {}),
    "cycle": ("cycle", "/api/v1/orders/create_order", "/orders", {}),
    "page, changed": (
        "page",
        "/api/v1/products/?page={n}&page_size=20",
        "/products?page={n}&page_size=20",
        {"K_NO_CACHE": "1"},
    ),
    "page, unchanged": ("page", "/api/v1/products/?page={n}&page_size=20", "/products?page={n}&page_size=20", {}),
    "detail, changed": ("detail", "/api/v1/products/{n}/", "/products/{n}", {"K_NO_CACHE": "1"}),
    "detail, unchanged": ("detail", "/api/v1/products/{n}/", "/products/{n}", {}),
}
USUAL_CASES = ("order", "order, no key")
FIGURES = ("rps", "p50", "p99", "server_us", "db_us")


def load_module(path: Path) -> ModuleType:
    """The Python file as a module, run now."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is not Python.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_module() -> ModuleType | None:
    """The reference peer's own runner, if its folder is there."""
    folder = Path(os.environ.get("WORKBOX_BENCH", ROOT.parent / "shared" / "bench"))
    if not (folder / "compare.py").exists():
        return None
    module: Any = load_module(folder / "compare.py")
    module.HERE = ROOT / "scripts" / "bench"  # our load.lua: the same requests, plus a fresh key per order
    return module


@contextlib.contextmanager
def process(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that answers on `port`, stopped by its id."""
    found = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=1)
                break
            time.sleep(0.1)
        yield found
    finally:
        found.send_signal(signal.SIGTERM)
        try:
            found.wait(15)
        except subprocess.TimeoutExpired:
            found.kill()
            found.wait()


def granian(port: int, workers: int, threads: int) -> list[str]:
    """HTTP in production."""
    return [
        str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--workers", str(workers),
        "--blocking-threads", str(threads), "--port", str(port), "--host", "127.0.0.1", "--log-level", "warning",
        "--no-access-log", "workbox.wsgi:application",
    ]  # fmt: skip


def live_server(port: int) -> list[str]:
    """/ws in production: the ASGI server, to which the proxy sends that path alone."""
    return [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]


def http_cases(
    args: argparse.Namespace, compare: ModuleType | None, services: Services, token: str
) -> list[dict[str, Any]]:
    """Every HTTP case, WorkBox and peer interleaved, medians and ratios."""
    port, peer, peer_token, rows = free_port(), None, "", []
    database = f"root:@127.0.0.1:{services.mariadb.port}"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(process(granian(port, args.workers, args.threads), port))
        if compare is not None:
            peer, peer_token = compare.start_peer(argparse.Namespace(db=database), args.peer_port)
            stack.callback(peer.wait)
            stack.callback(peer.terminate)
        else:
            compare = _own_runner()
        usual = stack.enter_context(usual_drf(args, services)) if args.usual_drf else None
        if not args.no_tailer:
            ws_port = free_port()
            stack.enter_context(process(live_server(ws_port), ws_port))
        print(f"{'case':18} {'':8} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'server us':>10} {'db us':>8}", flush=True)
        for name in args.cases.split(";"):
            kind, ours, theirs, extra = CASES[name]
            runs: dict[str, list[dict[str, float]]] = {"workbox": [], "peer": [], "usual": []}
            for _ in range(args.rounds + 1):  # the first round warms both up
                with environment(extra):
                    runs["workbox"].append(
                        compare.load(
                            f"http://127.0.0.1:{port}",
                            (kind, ours),
                            token,
                            (server.pid, services.mariadb_pid),
                            args,
                            args.products,
                        )
                    )
                if peer is not None:
                    url = f"http://127.0.0.1:{args.peer_port}"
                    runs["peer"].append(
                        compare.load(url, (kind, theirs), peer_token, (peer.pid, services.mariadb_pid), args, 5000)
                    )
                if usual is not None and name in USUAL_CASES:
                    url, usual_token, pid = usual
                    case = (kind, "/orders/")
                    runs["usual"].append(compare.load(url, case, usual_token, (pid, services.mariadb_pid), args, 5000))
            rows.append(report(name, {who: found[1:] for who, found in runs.items()}))
    return rows


@contextlib.contextmanager
def usual_drf(args: argparse.Namespace, services: Services) -> Iterator[tuple[str, str, int]]:
    """The usual DRF endpoint on the peer's tables, one thread per process as usual: (address, token, process id)."""
    port, folder = free_port(), ROOT / "scripts" / "bench"
    variables = {"USUAL_DB_PORT": str(services.mariadb.port), "PYTHONPATH": str(folder)}
    token = subprocess.run(
        [sys.executable, str(folder / "usual_drf.py")],
        env=os.environ | variables, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    command = [*granian(port, args.workers, 1)[:-1], "usual_drf:application"]
    with process(command, port, **variables) as server:
        yield f"http://127.0.0.1:{port}", token, server.pid


def _own_runner() -> ModuleType:
    sys.exit("The reference peer is not here; set WORKBOX_BENCH to the folder with compare.py.")


@contextlib.contextmanager
def environment(extra: dict[str, str]) -> Iterator[None]:
    """Environment variables for the length of a block."""
    os.environ.update(extra)
    try:
        yield
    finally:
        for name in extra:
            os.environ.pop(name, None)


def report(name: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Print one case's medians and the ratio WorkBox / peer; returns them."""
    found: dict[str, Any] = {"case": name}
    for who, rows in runs.items():
        if not rows:
            continue
        found[who] = {key: statistics.median(row[key] for row in rows) for key in FIGURES}
        found[who]["bad"] = sum(row["bad"] for row in rows)
        _print_row(name, who, found[who])
    if runs["peer"]:
        found["ratio"] = {key: found["workbox"][key] / found["peer"][key] for key in FIGURES if found["peer"][key]}
        _print_row(name, "ratio", {**dict.fromkeys(FIGURES, 0.0), **found["ratio"]}, places=2)
    if runs.get("usual"):
        found["ratio to usual"] = {key: found["workbox"][key] / found["usual"][key] for key in FIGURES}
        _print_row(name, "x usual", found["ratio to usual"], places=2)
    return found


def _print_row(name: str, who: str, row: dict[str, float], places: int = 0) -> None:
    wide = [
        f"{row[key]:{width}.{places or digits}f}"
        for key, width, digits in zip(FIGURES, (8, 8, 8, 10, 8), (0, 1, 1, 0, 0), strict=True)
    ]
    bad = f"  ({row['bad']:.0f} answers were errors)" if row.get("bad") else ""
    print(f"{name:18} {who:8} {' '.join(wide)}{bad}", flush=True)


# ---- fan-out ---------------------------------------------------------------------------------------------------------
class Ear(asyncio.Protocol):
    """A raw WebSocket client that only notes when bytes with the wanted text came: it must not be the bottleneck."""

    def __init__(self, hall: Hall, request: bytes) -> None:
        self.hall, self.request, self.open = hall, request, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]  # of the library's or the test's own object

    def data_received(self, data: bytes) -> None:
        if not self.open and b" 101 " in data[:40]:
            self.open = True
            self.hall.opened()
        if self.hall.needle in data:
            self.hall.heard()


class Hall:
    """All the ears, and the moment the last of them heard the present event."""

    def __init__(self, size: int) -> None:
        self.size, self.needle, self.count, self.ready = size, b"\0never", 0, 0
        self.all_open, self.all_heard = asyncio.Event(), asyncio.Event()

    def opened(self) -> None:
        self.ready += 1
        if self.ready == self.size:
            self.all_open.set()

    def heard(self) -> None:
        self.count += 1
        if self.count == self.size:
            self.last = time.perf_counter()
            self.all_heard.set()

    def expect(self, needle: bytes) -> None:
        self.needle, self.count = needle, 0
        self.all_heard.clear()


async def fan_out(
    port: int, headers: list[str], mark: Callable[[int], bytes], send: Callable[[int], object], cpu: Callable[[], float]
) -> tuple[float, float]:
    """Median milliseconds until the last of SOCKETS has an event, and server CPU milliseconds per event.

    `send(number)` makes an event whose frame holds `mark(number)`.
    """
    loop, hall = asyncio.get_running_loop(), Hall(SOCKETS)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /ws HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers, "", "",
    ]  # fmt: skip
    request = "\r\n".join(lines).encode()
    for start in range(0, SOCKETS, 50):
        await asyncio.gather(
            *(
                loop.create_connection(lambda: Ear(hall, request), "127.0.0.1", port)
                for _ in range(min(50, SOCKETS - start))
            )
        )
        await asyncio.sleep(0.05)
    await asyncio.wait_for(hall.all_open.wait(), 60)
    await asyncio.sleep(2.5)  # default subscription after one second
    took, before = [], 0.0
    for number in range(-3, FANOUT_EVENTS):
        if number == 0:
            before = cpu()
        hall.expect(mark(number))
        began = time.perf_counter()
        await asyncio.to_thread(send, number)
        await asyncio.wait_for(hall.all_heard.wait(), 30)
        took.append((hall.last - began) * 1000)
        await asyncio.sleep(0.15)
    return statistics.median(took[3:]), (cpu() - before) * 1000 / FANOUT_EVENTS


def raise_file_limit() -> None:
    """A thousand sockets here and a thousand in the server."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, hard), hard))


def fan_out_case(
    args: argparse.Namespace, compare: ModuleType | None, services: Services, shop: ModuleType, token: str
) -> dict[str, Any]:
    """One event to SOCKETS listeners: WorkBox on uvicorn beside the peer's hub."""
    raise_file_limit()
    product, version = shop.first_product()
    first = version + 4  # event -3 makes it one higher

    def mark(number: int) -> bytes:
        return f'"version":{first + number},'.encode()

    def change(_number: int) -> None:
        shop.add_one(product)

    found: dict[str, Any] = {"case": f"fan-out to {SOCKETS}"}
    port = free_port()
    with process(live_server(port), port, WORKBOX_SOCKETS_PER_USER="100000") as server:
        reader = (lambda: compare.process_tree(server.pid)) if compare else (lambda: 0.0)
        found["workbox"] = asyncio.run(fan_out(port, [f"Authorization: Bearer {token}"], mark, change, reader))
    _print_fan_out(found, "workbox")
    if compare is None:
        return found
    port = free_port()
    python = compare.CACHE / "venv/bin/python"
    command = [
        str(python), "-m", "uvicorn", "app_async:app", "--port", str(port), "--loop", "uvloop", "--http", "httptools",
        "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    database = f"root:@127.0.0.1:{services.mariadb.port}/workbox_reference"
    peer = subprocess.Popen(
        command,
        cwd=compare.REFERENCE,
        env=os.environ | {"REF_DB": database, "REF_REDIS": services.redis_url},
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            time.sleep(0.1)

        def publish(number: int) -> None:
            body = {
                "type": "inventory_update",
                "inventory_id": 1,
                "name": "Item number 1",
                "stock_quantity": 48,
                "price": 79.2,
                "mark": f"m{number}m",
            }
            call = urllib.request.Request(
                f"http://127.0.0.1:{port}/publish", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(call, timeout=10).read()  # noqa: S310  (our own address, http)

        found["peer"] = asyncio.run(
            fan_out(port, [], lambda number: f"m{number}m".encode(), publish, lambda: compare.process_tree(peer.pid))
        )
    finally:
        peer.terminate()
        peer.wait()
    _print_fan_out(found, "peer")
    ratio = [theirs / ours for ours, theirs in zip(found["workbox"], found["peer"], strict=True)]
    print(f"{found['case']:18} {'ratio':8} {ratio[0]:8.2f} x as fast,     {ratio[1]:6.2f} x as little CPU")
    return found


def _print_fan_out(found: dict[str, Any], who: str) -> None:
    last, cpu = found[who]
    print(f"{found['case']:18} {who:8} {last:8.1f} ms to the last, {cpu:6.1f} ms CPU per event")


def production_settings() -> dict[str, str]:
    """What the environment says beside where the servers are."""
    return {
        "DJANGO_SETTINGS_MODULE": "workbox.settings",
        "SECRET_KEY": "bench-" + base64.b64encode(os.urandom(32)).decode(),
        "JWT_SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
        "ACCESS_TOKEN_EXPIRE_MINUTES": "600",
        "WORKBOX_THROTTLE": "off",
        "LOG_LEVEL": "WARNING",
    }


def main() -> None:
    """Start everything, measure, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=8)
    parser.add_argument("--conns", type=int, default=16)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--peer-port", type=int, default=21901)
    parser.add_argument("--cases", default=";".join(CASES), help="separated by ;")
    parser.add_argument("--usual-drf", action="store_true", help="the usual DRF code too, for the order cases")
    parser.add_argument("--no-tailer", action="store_true", help="without the /ws server beside the HTTP cases")
    parser.add_argument("--skip", default="", help="http or fanout")
    args = parser.parse_args()
    stop_on_signals()
    compare = peer_module()
    with running(durable=True) as services:
        os.environ |= services.environment | production_settings()
        sys.path.insert(0, str(ROOT))  # our apps; scripts/ is there already
        shop = load_module(ROOT / "scripts" / "bench_shop.py")
        token = shop.fill(args.products)
        if args.skip != "http":
            http_cases(args, compare, services, token)
        if args.skip != "fanout":
            fan_out_case(args, compare, services, shop, token)


if __name__ == "__main__":
    main()
