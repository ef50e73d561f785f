"""A signal reaches Python's main thread whichever thread of the process the kernel gave it to."""

import signal
import socket
import threading
import time

_NUDGE = signal.SIGURG  # without a handler it would be ignored, and would interrupt nothing
_NUDGES, _PAUSE_SECONDS = 3, 0.05


def hand_signals_to_main_thread() -> None:
    """From now on a main thread that waits for a lock wakes up for every signal that has a Python handler.

    Handlers run in the main thread alone. The kernel may give a signal to any thread, and then a main thread that waits
    in C sleeps on: granian's workers lost one SIGTERM in four while they were busy, and went on taking requests until
    they were killed. A process that already has its own wakeup file (asyncio, gunicorn) is left as it is, and so is
    one that calls from another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    others = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    if others != -1:
        signal.set_wakeup_fd(others)
        ear.close()
        mouth.close()
        return
    signal.signal(_NUDGE, lambda _number, _frame: None)
    threading.Thread(target=_nudge, args=(ear, mouth), name="signals", daemon=True).start()


def _nudge(ear: socket.socket, _mouth: socket.socket) -> None:
    """Interrupt the main thread after each signal but our own; more than once, for it may be about to wait."""
    main = threading.main_thread().ident
    while numbers := ear.recv(64):
        if main is None or all(number == _NUDGE for number in numbers):
            continue
        for _ in range(_NUDGES):
            signal.pthread_kill(main, _NUDGE)
            time.sleep(_PAUSE_SECONDS)
