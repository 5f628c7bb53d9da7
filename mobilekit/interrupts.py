"""Ctrl-C that cannot get lost.

A KeyboardInterrupt is raised wherever the main thread happens to be, and some of that code swallows it: a bare
``except``, a callback from C, a destructor. The first Ctrl-C is therefore remembered, and long work asks at its safe
points (:func:`raise_if_interrupted`) whether one was lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_seen = False


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Take over SIGINT for a while; nothing is done outside the main thread, which alone gets signals."""
    global _seen
    _seen = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _handle(_number: int, _frame: FrameType | None) -> None:
    global _seen
    if _seen:  # the second Ctrl-C: the user does not want to wait for anything
        os._exit(EXIT_INTERRUPTED)
    _seen = True
    raise KeyboardInterrupt


def interrupted() -> bool:
    """Whether Ctrl-C was pressed since :func:`remembered` began."""
    return _seen


def raise_if_interrupted() -> None:
    """Raise the KeyboardInterrupt again that somebody swallowed."""
    if _seen:
        raise KeyboardInterrupt
