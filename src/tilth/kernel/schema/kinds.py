"""Column type → how its values look in JSON, in a URL and on a form: one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

KindName = Literal[
    "boolean", "integer", "float", "decimal", "text", "bytes", "datetime", "date", "time",
    "interval", "uuid", "enum", "json", "array", "opaque",
]  # fmt: skip

Carrier = str | int | float | bool | bytes | None
"""What the store hands over for one value, whatever the database: see decode in Kind."""

Json = Any
"""A value orjson.dumps accepts."""

EQUALITY = frozenset({"exact", "ne", "in", "isnull"})
ORDER = frozenset({"lt", "lte", "gt", "gte", "range"})
TEXT = frozenset(
    {"iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """How the values of one column are read, filtered, shown and edited.

    json_schema: JSON Schema 2020-12 of the JSON value, without null.
    lookups: the filter operators that make sense.
    parse: text from a URL → Python value for the column's SQLAlchemy type, datetimes in UTC;
        ValueError with a sentence that says what was expected.
    decode: carrier → JSON value, never raises: a value that does not fit (SQLite allows any)
        is answered as the text or number that is stored. Carriers, the same on both databases:
        integer int · boolean bool or 0/1 · float float or its text · decimal text · text str ·
        bytes hexadecimal text · datetime "2026-01-31 23:59:59[.ffffff][+00]" · date "2026-01-31" ·
        time "23:59:59[.ffffff]" · interval ISO 8601 text or the datetime text SQLAlchemy stores ·
        uuid with or without dashes · enum the stored text · json JSON text ·
        array JSON text of an array of item texts · opaque text.
    item: the kind of an array's items.
    """

    name: KindName
    json_schema: Mapping[str, Any]
    lookups: frozenset[str]
    widget: str
    parse: Callable[[str], Any]
    decode: Callable[[Carrier], Json]
    sortable: bool = True
    item: "Kind | None" = None
