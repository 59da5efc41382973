"""What is answered of a row or a page, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from tilth.features.api.service.media import JSON
from tilth.kernel.store.record import Record


@dataclass(frozen=True, slots=True)
class Representation:
    """headers: beside those that every answer of the kind has; lower case."""

    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Represent = Callable[[Record], Representation]
"""How a row that was written is answered."""


def as_json(row: Record) -> Representation:
    return Representation(orjson.dumps(row.shown))
