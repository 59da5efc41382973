"""`Prefer` → what the client would like, and `Preference-Applied` (RFC 7240)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preferences:
    """minimal: no body where one could be. dry_run: say what would happen, and keep nothing.

    merge: change a row that is there already instead of creating it. max_affected: rows at most.
    later: accept it now and do it later, unless it is done within wait_seconds.
    """

    minimal: bool = False
    dry_run: bool = False
    merge: bool = False
    max_affected: int | None = None
    later: bool = False
    wait_seconds: int = 0

    @property
    def applied(self) -> str:
        names = {
            "return=minimal": self.minimal,
            "dry-run": self.dry_run,
            "resolution=merge": self.merge,
            f"max-affected={self.max_affected}": self.max_affected is not None,
        }
        return ", ".join(name for name, is_asked in names.items() if is_asked)


def preferences_from(headers: Iterable[str]) -> Preferences:
    """What is not known is passed over, as the RFC asks. Of a repeated one the first counts."""
    asked: dict[str, str] = {}
    for header in headers:
        for part in header.split(","):
            name, _, value = part.partition(";")[0].partition("=")
            asked.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    most, wait = asked.get("max-affected", ""), asked.get("wait", "")
    return Preferences(
        minimal=asked.get("return") == "minimal",
        dry_run="dry-run" in asked,
        merge=asked.get("resolution") == "merge",
        max_affected=_number(most),
        later="respond-async" in asked,
        wait_seconds=_number(wait) or 0,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
