"""The bell between processes is heard whatever number the socket to Redis has."""

import fcntl
import resource
import socket
from collections.abc import Iterator

import pytest

from workbox.core import doorbell
from workbox.core.cache import redis_client
from workbox.core.doorbell import Bell

BEYOND_SELECT = 1100  # select() ends at 1023


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have as many open files as a server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= BEYOND_SELECT:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * BEYOND_SELECT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.mariadb
@pytest.mark.usefixtures("many_files")
def test_a_ring_is_heard_over_a_socket_with_a_high_number() -> None:
    bell, client = Bell(), redis_client()
    assert client is not None
    assert bell.wait(2), "Redis confirms the subscription"
    low = bell._wire._sock
    bell._wire._sock = socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD, BEYOND_SELECT))
    low.close()
    assert not bell.wait(0.1)
    client.publish(doorbell.channel(), "1")
    assert bell.wait(2)
    bell.close()


@pytest.mark.mariadb
def test_a_neighbour_on_the_same_server_is_not_heard() -> None:
    client = redis_client()
    assert client is not None
    bell, database = Bell(), client.connection_pool.connection_kwargs["db"]
    assert bell.wait(2), "Redis confirms the subscription"
    client.publish(f"wb:bell:{database + 1}", "1")
    assert not bell.wait(0.1)
    client.publish(f"wb:bell:{database}", "1")
    assert bell.wait(2)
    bell.close()
