"""A file that appears whole or not at all, for one pair of eyes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tilth.errors import CommandError
from tilth.kit.ids import uuid7

FOR_THE_USER_ALONE = 0o600

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file while it is open."""

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """An empty file beside path, gone in the end unless `publish` has made it path.

    Raises CommandError when there can be none.
    """
    partial = path.with_name(f"{path.name}.{uuid7().hex}.partial")
    with told_of(path):
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FOR_THE_USER_ALONE))
    try:
        yield partial
    finally:
        for name in ("", *BESIDE):
            Path(f"{partial}{name}").unlink(missing_ok=True)


def publish(partial: Path, path: Path, *, replaces: bool) -> None:
    """On the disk before it has its name. Raises CommandError for a file that is there already."""
    with told_of(path):
        flush(partial)
        if replaces:
            os.replace(partial, path)
        else:
            _name_anew(partial, path)
        flush(path.parent)


def refuse_existing(path: Path) -> None:
    if path.is_dir():
        raise CommandError(f"{path} is a folder.", "Name a file in it.")
    if os.path.lexists(path):
        raise _existing(path)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Raises CommandError where the operating system refuses."""
    try:
        yield
    except OSError as exc:
        raise CommandError(f"{path} cannot be written: {exc.strerror}.") from exc


def flush(path: Path) -> None:
    """A file's content, or a folder's names. Raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _name_anew(partial: Path, path: Path) -> None:
    """Unlike a rename, a second name is never put in the place of a file that came meanwhile."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise _existing(path) from None
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        refuse_existing(path)
        os.replace(partial, path)


def _existing(path: Path) -> CommandError:
    return CommandError(f"{path} is there already.", "Name another file, or say --force.")
