"""How much one request asks to be written."""

from __future__ import annotations

from dataclasses import dataclass

from tilth.errors import PayloadTooLarge

MOST_ROWS = 1000
"""Created or changed by one request, those that are nested in others among them."""

MOST_LINKED = 10_000
"""Links of all rows of one request together."""


@dataclass(slots=True)
class Size:
    """What has been asked for so far; shared by everything that belongs to one request."""

    rows: int = 0
    links: int = 0

    def add_row(self) -> None:
        """Raises PayloadTooLarge."""
        self.rows += 1
        if self.rows > MOST_ROWS:
            detail = f"One request creates at most {MOST_ROWS:,} rows, with those nested in others."
            raise PayloadTooLarge(detail, code="too_many_rows")

    def add_links(self, number: int) -> None:
        """Raises PayloadTooLarge."""
        self.links += number
        if self.links > MOST_LINKED:
            detail = (
                f"One request names at most {MOST_LINKED:,} rows to link, of all rows together."
            )
            raise PayloadTooLarge(detail, code="too_many_links")
