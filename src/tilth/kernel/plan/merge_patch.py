"""A JSON value and a patch of it → the value as it will be (RFC 7396)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(held: Any, patch: Any) -> Any:
    """Members that the patch gives are changed, those it gives null go, and all others stay.

    Anything but an object takes the place of what is held. Neither argument is changed.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(held) if isinstance(held, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
