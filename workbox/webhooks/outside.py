"""One POST to somebody else's server, and nowhere else: no private network, no redirect, no endless answer.

The address is looked up once, judged, and then connected to as judged, so that a name which changes its mind between
the look and the call (DNS rebinding) gains nothing.
"""

import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from workbox.core.errors import DomainError, Invalid

TIMEOUT_SECONDS = 10
ANSWER_BYTES_MAX = 64 * 1024
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
    path = (found.path or "/") + (f"?{found.query}" if found.query else "")
    return found.scheme, found.hostname, port or (443 if found.scheme == "https" else 80), path


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    judged = mapped or address
    if any(judged in ipaddress.ip_network(one) for one in settings.WEBHOOKS_ALLOW_NETWORKS):
        return True
    return judged.is_global and not judged.is_multicast


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send `body`; returns the answer, whatever its status. Raises Unreachable, Invalid."""
    check_url(url)
    parts = _parts(url)
    assert parts is not None  # noqa: S101  (narrowing: check_url refused it)
    scheme, host, port, path = parts
    wire = _Connection(host, port, address=_vetted(host, port), is_tls=scheme == "https")
    try:
        wire.request("POST", path, body=body, headers=headers)
        answer = wire.getresponse()
        text = answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
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

    def __init__(self, host: str, port: int, *, address: str, is_tls: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address, self._is_tls = address, is_tls

    def connect(self) -> None:
        """Connect, and under https check the certificate for the name."""
        wire = socket.create_connection((self._address, self.port), TIMEOUT_SECONDS)
        self.sock = ssl.create_default_context().wrap_socket(wire, server_hostname=self.host) if self._is_tls else wire
