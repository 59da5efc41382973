"""`Prefer` → what the client would like, and `Preference-Applied` (RFC 7240)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Preferences:
    """minimal: no body where one could be. representation: a body wherever one can be, as it is anyway.

    dry_run: say what would happen, and keep nothing.
    merge: change a row that is there already instead of creating it. max_affected: rows at most.
    later: accept it now and do it later, unless it is done within wait_seconds.
    strict: refuse the request when a preference cannot be met. unmet: those that cannot, as sent.
    """

    minimal: bool = False
    representation: bool = False
    dry_run: bool = False
    merge: bool = False
    max_affected: int | None = None
    later: bool = False
    wait_seconds: int = 0
    strict: bool = False
    unmet: tuple[str, ...] = ()

    @property
    def applied(self) -> str:
        names = {
            "return=minimal": self.minimal,
            "return=representation": self.representation,
            "handling=strict": self.strict,
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
            if name.strip():
                asked.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return Preferences(
        minimal=asked.get("return") == "minimal",
        representation=asked.get("return") == "representation",
        dry_run=asked.get("dry-run") in _BARE,
        merge=asked.get("resolution") == "merge",
        max_affected=_number(asked.get("max-affected", "")),
        later=asked.get("respond-async") in _BARE,
        wait_seconds=_number(asked.get("wait", "")) or 0,
        # Whoever asks for a dry run in other words must not be taken to mean a change.
        strict=asked.get("handling") == "strict" or asked.get("dry-run", "") not in _DRY_RUN,
        unmet=tuple(_written(*each) for each in asked.items() if not _is_known(*each)),
    )


# RFC 7240 section 2: a preference without a value is the same as one with an empty value.
_BARE = ("", "true")

_DRY_RUN = (*_BARE, "false")

_KNOWN = {
    "return": ("minimal", "representation"),
    "dry-run": _BARE,
    "resolution": ("merge",),
    "respond-async": _BARE,
    "handling": ("strict", "lenient"),
}


def _is_known(name: str, value: str) -> bool:
    if name in ("max-affected", "wait"):
        return _number(value) is not None
    return value in _KNOWN.get(name, ())


def _written(name: str, value: str) -> str:
    return f"{name}={value}"[:80] if value else name[:80]


def without(preferences: Preferences, **unmet: str) -> Preferences:
    """unmet: field → how the preference is written, of those that have no meaning here."""
    nothing = Preferences()
    dropped = {name: text for name, text in unmet.items() if getattr(preferences, name)}
    return replace(
        preferences,
        **{name: getattr(nothing, name) for name in dropped},
        unmet=(*preferences.unmet, *dropped.values()),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
