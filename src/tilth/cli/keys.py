"""A terminal → the keys that were pressed on it, each as it is pressed."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

AT_ONCE = 64


@contextmanager
def pressed_keys(terminal: TextIO | None) -> Iterator[Callable[[], str] | None]:
    """Asked, it answers what was typed since, and does not wait. The terminal is as it was afterwards.

    None where there is no terminal, or another program is in front of it.
    """
    if (
        sys.platform == "win32"
        or terminal is None
        or not terminal.isatty()
        or not _is_in_front(terminal.fileno())
    ):
        yield None
        return
    import termios
    import tty

    number = terminal.fileno()
    before = termios.tcgetattr(number)
    # Ctrl-C goes on to be a signal.
    tty.setcbreak(number)
    try:
        yield lambda: _typed(number)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _typed(number: int) -> str:
    ready, _, _ = select.select([number], [], [], 0)
    return os.read(number, AT_ONCE).decode(errors="replace") if ready else ""


def _is_in_front(number: int) -> bool:
    """A background job that sets up its terminal would be stopped."""
    try:
        return os.tcgetpgrp(number) == os.getpgrp()
    except OSError:
        # Not the terminal that this process was started from, so nobody else reads it.
        return True
