"""Where in the developer's own code something was asked of the database."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from types import FrameType

from greenlet import getcurrent

_NOT_THEIRS = tuple(
    os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "purelib", "platlib")
)
_FRAMEWORKS = frozenset({"fastapi", "starlette"})
_OURS = frozenset({"tilth", "sqlalchemy"})


def calling_place() -> str | None:
    """ "shop/routes.py:12": the innermost line that belongs to no library.

    None when a web framework did it by itself, as when it makes the answer of what was returned.
    """
    for frame in _frames():
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package in _FRAMEWORKS:
            return None
        path = frame.f_code.co_filename
        if package not in _OURS and not path.startswith((*_NOT_THEIRS, "<")):
            return f"{shown_path(path)}:{frame.f_lineno}"
    return None


def _frames() -> Iterator[FrameType]:
    """From the innermost; a greenlet has frames of its own, behind which are those of its parent."""
    frame: FrameType | None = sys._getframe(2)
    thread = getcurrent()
    while frame is not None:
        yield frame
        frame = frame.f_back
        if frame is None and thread.parent is not None:
            thread = thread.parent
            frame = thread.gr_frame


def shown_path(path: str) -> str:
    """Below the working directory as seen from there."""
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)
