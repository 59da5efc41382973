"""`Prefer` → what the client would like, and `Preference-Applied` (RFC 7240)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preferences:
    """minimal: no body where one could be. dry_run: say what would happen, and keep nothing.

    merge: change a row that is there already instead of creating it. max_affected: rows at most.
    """

    minimal: bool = False
    dry_run: bool = False
    merge: bool = False
    max_affected: int | None = None

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
    most = asked.get("max-affected", "")
    return Preferences(
        minimal=asked.get("return") == "minimal",
        dry_run="dry-run" in asked,
        merge=asked.get("resolution") == "merge",
        max_affected=int(most) if most.isascii() and most.isdigit() and len(most) < 10 else None,
    )
