"""Fields of rows → a pandas frame, where pandas is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tilth.errors import QueryError

if TYPE_CHECKING:
    from pandas import DataFrame


def frame_from(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> DataFrame:
    """Columns in the order of names, also without rows. Raises QueryError without pandas."""
    try:
        from pandas import DataFrame
    except ModuleNotFoundError as exc:
        raise QueryError("to_dataframe() needs pandas: pip install pandas.") from exc
    return DataFrame(rows, columns=list(names))
