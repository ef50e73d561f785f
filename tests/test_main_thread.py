"""A signal that the kernel gives to another thread is handled all the same, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
WAITING = """
import os, signal, socket, threading, time
from workbox.core.main_thread import hand_signals_to_main_thread

handled = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: handled.set())
{first}

def other():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # to this thread, as a kernel may choose
    time.sleep(1)
    os._exit(0 if handled.is_set() else 3)

threading.Thread(target=other).start()
never = threading.Lock()
never.acquire()
never.acquire()
"""


def ends_with(first: str) -> int:
    script = WAITING.format(first=first)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=30, check=False).returncode


def test_a_main_thread_that_waits_for_a_lock_hears_of_a_signal_to_another_thread() -> None:
    assert ends_with("hand_signals_to_main_thread()") == 0
    assert ends_with("pass") == 3, "without it the signal is lost: the test would prove nothing"


def test_who_has_a_wakeup_file_already_keeps_it() -> None:
    assert (
        ends_with(
            "ear, mouth = socket.socketpair(); mouth.setblocking(False); signal.set_wakeup_fd(mouth.fileno());"
            " hand_signals_to_main_thread(); before = signal.set_wakeup_fd(-1); os._exit(before != mouth.fileno())"
        )
        == 0
    )


def test_called_from_another_thread_it_does_nothing() -> None:
    assert (
        ends_with(
            "threading.excepthook = lambda _: os._exit(4);"  # Python refuses it there
            " one = threading.Thread(target=hand_signals_to_main_thread); one.start(); one.join();"
            " os._exit(signal.set_wakeup_fd(-1) != -1)"
        )
        == 0
    )
