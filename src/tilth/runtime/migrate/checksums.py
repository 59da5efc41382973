"""Revision files → their checksums, kept in one file that conflicts when two branches add to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from alembic.script import Script

HEADER = (
    "# One line for each revision, in order. When it conflicts, two branches have added one:\n"
    "# take both lines and run `tilth migrate rebase` (or merge).\n"
)


def checksum_of(path: Path) -> str:
    """Of what the file says; line endings do not count."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def read_checksums(file: Path) -> dict[str, str]:
    """revision → checksum; empty when there is no file."""
    if not file.is_file():
        return {}
    lines = file.read_text("utf-8").splitlines()
    pairs = [line.split() for line in lines if line and line[0] not in "#<=>|"]
    return {words[0]: words[1] for words in pairs if len(words) >= 2}


def write_checksums(file: Path, scripts: Iterable[Script]) -> None:
    """scripts: oldest first."""
    lines = [
        f"{each.revision} {checksum_of(Path(each.path))} {Path(each.path).name}\n"
        for each in scripts
    ]
    text = HEADER + "".join(lines)
    if not file.is_file() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")


def edited(recorded: Mapping[str, str], scripts: Iterable[Script]) -> list[Script]:
    """Those that have changed since their checksum was taken, but for what took others in."""
    return [
        each
        for each in scripts
        if each.revision in recorded
        and not getattr(each.module, "replaces", ())
        and recorded[each.revision] != checksum_of(Path(each.path))
    ]
