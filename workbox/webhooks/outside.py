"""One POST to somebody else's server, and nowhere else: no private network, no redirect, no endless answer.

The address is looked up once, judged, and then connected to as judged, so that a name which changes its mind between
the look and the call (DNS rebinding) gains nothing.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

from workbox.core.errors import DomainError, Invalid

TIMEOUT_SECONDS = 10
ANSWER_BYTES_MAX = 64 * 1024
_AS_IT_IS = "/?:@!$&'()*+,;=~%"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS_REFUSED = frozenset(range(1, 1024)) - {80, 443}


class Unreachable(DomainError):
    """The endpoint could not be asked; `detail` says why."""

    code = "webhook_unreachable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint said."""

    status: int
    text: str


def check_url(url: str) -> None:
    """Raise Invalid unless the URL may be called at all: https (or http where allowed), a name, a sensible port."""
    parts = _parts(url)
    if parts is None:
        raise _wrong("must be an https URL with a host name")
    scheme, host, port, _ = parts
    if scheme != "https" and not settings.WEBHOOKS_ALLOW_HTTP:
        raise _wrong("must be https: facts about your shop do not travel in the open")
    if port in PORTS_REFUSED:
        raise _wrong(f"port {port} is not one of a web server")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not _is_public(address):
        raise _wrong("must not lead into a private network")


def _wrong(text: str) -> Invalid:
    return Invalid(f"url {text}.", fields={"url": [text]})


def _parts(url: str) -> tuple[str, str, int, str] | None:
    """(scheme, host, port, path with query), or None when it is no URL of the web."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return None
    if found.scheme not in ("http", "https") or not found.hostname or found.username or found.password:
        return None
    # As browsers do: what is no character of a URL is percent-encoded, what is encoded already stays as it is.
    path = quote(found.path or "/", safe=_AS_IT_IS) + (f"?{quote(found.query, safe=_AS_IT_IS)}" if found.query else "")
    return found.scheme, found.hostname, port or (443 if found.scheme == "https" else 80), path


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    judged = _embedded(address) or address
    if any(one in ipaddress.ip_network(net) for net in settings.WEBHOOKS_ALLOW_NETWORKS for one in {address, judged}):
        return True
    return judged.is_global and not judged.is_multicast


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to through a translator or tunnel: it is what has to be outside."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64 or int(address) >> 32 == 0:  # 64:ff9b::a.b.c.d, and ::a.b.c.d
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send `body`; returns the answer, whatever its status. Raises Unreachable, Invalid."""
    check_url(url)
    parts = _parts(url)
    assert parts is not None  # noqa: S101  (narrowing: check_url refused it)
    scheme, host, port, path = parts
    until = time.monotonic() + TIMEOUT_SECONDS
    wire = _Connection(host, port, address=_vetted(host, port), is_tls=scheme == "https", until=until)
    try:
        wire.request("POST", path, body=body, headers=headers)
        answer = wire.getresponse()
        text = answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a name or text that cannot be sent
        raise Unreachable(f"{type(error).__name__}: {error}"[:300]) from error
    finally:
        wire.close()
    return Answer(answer.status, text)


def _vetted(host: str, port: int) -> str:
    """An address of the host that is not inside; every one of them must be outside."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host} has no address: {error}"[:300]) from error
    addresses = [str(one[4][0]) for one in found]
    if not all(_is_public(ipaddress.ip_address(one.partition("%")[0])) for one in addresses):
        raise Unreachable(f"{host} leads into a private network; nothing was sent.")
    return addresses[0]


class _Connection(http.client.HTTPConnection):
    """To an address that was judged already, under the name it was asked by."""

    def __init__(self, host: str, port: int, *, address: str, is_tls: bool, until: float) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address, self._is_tls, self._until = address, is_tls, until
        self.response_class = self._bounded_response  # type: ignore[assignment]  # http.client only calls it

    def _bounded_response(self, *args: Any, **options: Any) -> "_Response":
        return _Response(*args, until=self._until, **options)

    def connect(self) -> None:
        """Connect, and under https check the certificate for the name."""
        wire = socket.create_connection((self._address, self.port), _left(self._until))
        wire.settimeout(_left(self._until))
        self.sock = ssl.create_default_context().wrap_socket(wire, server_hostname=self.host) if self._is_tls else wire
        self.sock.settimeout(_left(self._until))


class _Response(http.client.HTTPResponse):
    """An answer that has to be here, headers and all, at a moment: drop by drop it would take as long as it likes."""

    def __init__(self, sock: socket.socket, *args: Any, until: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Bounded(sock, self.fp.detach(), until))


class _Bounded(io.RawIOBase):
    """Reads from the socket as long as there is time left."""

    def __init__(self, sock: socket.socket, source: io.RawIOBase, until: float) -> None:
        self._sock, self._source, self._until = sock, source, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._until))
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()


def _left(until: float) -> float:
    """Seconds until that moment; raises TimeoutError when it is over."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"no whole answer within {TIMEOUT_SECONDS} seconds")
    return left
