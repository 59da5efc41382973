"""What is compared for one table: each function asks one kind of endpoint."""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plain import tables as sql
from plain.asking import Asking, address_of, item_row, key_part, with_query
from plain.database import Database, quoted
from plain.tables import Field, Link, Row, Table
from plain.values import in_url

SMALL_PAGE, BIG_PAGE = 7, 200
SMALL_PAGES = 60
ITEMS = 20
WIDE, OF_WIDE = 60, 5
PARENTS = 100
SUBCOLLECTIONS = 4
RELATED_ROWS = 10_000
OPERATORS = {"exact": "=", "ne": "<>", "gte": ">=", "lt": "<", "lte": "<=", "gt": ">"}
PARAMETERS = {"limit", "offset", "sort", "filter", "q", "fields", "expand", "cursor", "count"}


@dataclass(frozen=True, slots=True)
class Bench:
    """rows_to_the_end: of larger tables only that many rows are walked through."""

    database: Database
    tables: dict[str, Table]
    asking: Asking
    rows_to_the_end: int

    def check(self, address: str, what: str, got: Any, expected: Any) -> bool:
        return self.asking.report.check(address, what, got, expected)


async def check_table(bench: Bench, table: Table) -> None:
    total = sql.count(bench.database, table)
    await check_total(bench, table, total)
    await check_pages(bench, table, total)
    await check_sorting(bench, table, total)
    await check_filters(bench, table, total)
    await check_items(bench, table, total)
    for link in table.links:
        await check_expansion(bench, table, link)
        await check_subcollection(bench, table, link)
    await check_exports(bench, table, total)


async def check_total(bench: Bench, table: Table, total: int) -> None:
    address = address_of(table.resource, limit="1", count="exact")
    body = await bench.asking.get(address)
    if body is not None:
        bench.check(address, "total", body["total"], total)


async def check_pages(bench: Bench, table: Table, total: int) -> None:
    """Every row once, in the order of its key, forwards and back, with small and big pages."""
    most = min(total, bench.rows_to_the_end)
    if total > most:
        bench.asking.report.skip(f"rows of {table.resource} after the first {most:,} of {total:,}")
    order = sql.by_key(bench.database, table) or _any_order(bench, table)
    expected = sql.rows(bench.database, table, order=order, most=most)
    for limit in (SMALL_PAGE, BIG_PAGE):
        few = min(most, SMALL_PAGES * limit) if limit == SMALL_PAGE else most
        address = address_of(table.resource, limit=str(limit))
        await _walk(bench, table, address, expected[:few], to_the_end=few == total)


def _any_order(bench: Bench, table: Table) -> list[str]:
    """Rows without a key are told apart by their values alone."""
    return [sql.ordering(bench.database, field) for field in table.fields if field.sortable]


async def _walk(
    bench: Bench, table: Table, address: str, expected: list[Row], *, to_the_end: bool
) -> None:
    """Forwards over the expected rows, or to the end; then back to the beginning."""
    pages: list[tuple[str, list[Row]]] = []
    previous: str | None = None
    async for at, body in bench.asking.pages(address):
        pages.append((at, [item_row(item, table) for item in body["items"]]))
        previous = body["prev"]
        if not to_the_end and sum(len(rows) for _, rows in pages) >= len(expected):
            break
    seen = [row for _, rows in pages for row in rows]
    got = seen if to_the_end else seen[: len(expected)]
    bench.check(address, "rows forwards", got, expected)
    if len(pages) < 2:
        return
    last_address, last_rows = pages[-1]
    back: list[Row] = []
    if previous is not None:
        async for _, body in bench.asking.pages(previous, "prev"):
            back = [item_row(item, table) for item in body["items"]] + back
    bench.check(last_address, "rows backwards", back, seen[: -len(last_rows)])


async def check_sorting(bench: Bench, table: Table, total: int) -> None:
    most = min(total, 2 * BIG_PAGE, bench.rows_to_the_end)
    for field in _columns(bench, table):
        if not field.sortable or "," in field.name:
            continue
        for descending in (False, True):
            first = sql.ordering(bench.database, field, descending=descending)
            rest = sql.by_key(bench.database, table) or _any_order(bench, table)
            expected = sql.rows(bench.database, table, order=[first, *rest], most=most)
            sort = f"-{field.name}" if descending else field.name
            limit = str(BIG_PAGE if most > SMALL_PAGES else SMALL_PAGE)
            address = address_of(table.resource, sort=sort, limit=limit)
            await _walk(bench, table, address, expected, to_the_end=most == total)


def _columns(bench: Bench, table: Table) -> tuple[Field, ...]:
    """All but those of a very wide table: each is sorted and filtered by in a dozen ways."""
    if len(table.fields) <= WIDE:
        return table.fields
    bench.asking.report.skip(f"columns of {table.resource} after the first {OF_WIDE}")
    return table.fields[:OF_WIDE]


async def check_filters(bench: Bench, table: Table, total: int) -> None:
    for field in _columns(bench, table):
        await _check_nulls(bench, table, field, total)
        values = _some_values(bench, table, field)
        for raw, text in values:
            await _check_comparisons(bench, table, field, raw, text)
        if len(values) > 1 and "in" in field.lookups:
            await _check_in(bench, table, field, values[:2])
        if len(values) > 1 and "range" in field.lookups:
            await _check_range(bench, table, field, values[:2])


async def _check_nulls(bench: Bench, table: Table, field: Field, total: int) -> None:
    where = f" WHERE {quoted(field.name)} IS NULL"
    if field.kind == "json":
        # JSON has a null of its own, and both are answered as null.
        where += f" OR trim(CAST({quoted(field.name)} AS TEXT)) = 'null'"
    missing = sql.count(bench.database, table, where)
    for text, expected in (("true", missing), ("false", total - missing)):
        await _check_count(bench, table, {f"{field.name}__isnull": text}, expected)


def _some_values(bench: Bench, table: Table, field: Field) -> list[tuple[Any, str]]:
    """(as stored, as in a URL): the smallest, the second and the largest of the first 5,000 rows."""
    if "exact" not in field.lookups:
        return []
    column, source = quoted(field.name), quoted(table.name)
    shown = bench.database.shown(column, field.kind)
    distinct = f"SELECT DISTINCT {column} FROM (SELECT {column} FROM {source} LIMIT 5000) f WHERE {column} IS NOT NULL"
    found = [
        raw
        for direction, most in (("ASC", 2), ("DESC", 1))
        for (raw,) in bench.database.rows(
            f"SELECT {shown} FROM ({distinct}) d ORDER BY d.{column} {direction} LIMIT {most}"
        )
    ]
    texts = [(raw, in_url(bench.database.normal(raw, field.kind), field.kind)) for raw in found]
    return [
        (raw, text)
        for raw, text in dict.fromkeys(texts)
        if text is not None and bench.database.is_of_kind(raw, field.kind)
    ]


async def _check_comparisons(bench: Bench, table: Table, field: Field, raw: Any, text: str) -> None:
    for lookup, operator in OPERATORS.items():
        if lookup in field.lookups:
            expected = _expected_count(bench, table, field, operator, raw)
            await _check_count(bench, table, {_parameter(field, lookup): text}, expected)
    if "contains" in field.lookups and isinstance(raw, str) and raw:
        part = text[len(text) // 3 :][:3]
        where = f" WHERE {bench.database.within(quoted(field.name))}"
        expected = sql.count(bench.database, table, where, [part])
        await _check_count(bench, table, {f"{field.name}__contains": part}, expected)


def _parameter(field: Field, lookup: str) -> str:
    is_short = lookup == "exact" and field.name not in PARAMETERS
    return field.name if is_short else f"{field.name}__{lookup}"


def _expected_count(bench: Bench, table: Table, field: Field, operator: str, raw: Any) -> int:
    if bench.database.dialect == "sqlite" and field.kind in ("datetime", "date", "time"):
        return _counted_here(bench, table, field, operator, raw)
    column = quoted(field.name)
    compared = bench.database.compared(table.name, field.name)
    if field.kind == "enum":
        column, compared = f"CAST({column} AS text)", bench.database.place
    return sql.count(bench.database, table, f" WHERE {column} {operator} {compared}", [raw])


_HERE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
}


def _counted_here(bench: Bench, table: Table, field: Field, operator: str, raw: Any) -> int:
    """One moment may be stored in several spellings, which SQL on texts would tell apart."""
    given = bench.database.normal(raw, field.kind)
    found = bench.database.rows(
        f"SELECT {quoted(field.name)} FROM {quoted(table.name)} WHERE {quoted(field.name)} IS NOT NULL"
    )
    values = [bench.database.normal(each, field.kind) for (each,) in found]
    return sum(_HERE[operator](value, given) for value in values if type(value) is type(given))


async def _check_in(
    bench: Bench, table: Table, field: Field, values: Sequence[tuple[Any, str]]
) -> None:
    if any(set(text) & set(',"\\') or not text or text != text.strip() for _, text in values):
        return
    expected = sum(_expected_count(bench, table, field, "=", raw) for raw, _ in values)
    texts = ",".join(text for _, text in values)
    await _check_count(bench, table, {f"{field.name}__in": texts}, expected)


async def _check_range(
    bench: Bench, table: Table, field: Field, values: Sequence[tuple[Any, str]]
) -> None:
    """Between two values that are there, the smallest and the second: both bounds count."""
    (low, low_text), (high, high_text) = values
    if any(set(text) & set(',"\\') or not text or text != text.strip() for _, text in values):
        return
    from_low = _expected_count(bench, table, field, ">=", low)
    expected = from_low - _expected_count(bench, table, field, ">", high)
    texts = f"{low_text},{high_text}"
    await _check_count(bench, table, {f"{field.name}__range": texts}, expected)


async def _check_count(bench: Bench, table: Table, query: dict[str, str], expected: int) -> None:
    address = with_query(address_of(table.resource), {**query, "count": "exact", "limit": "1"})
    body = await bench.asking.get(address)
    if body is not None:
        bench.check(address, "total", body["total"], expected)


async def check_items(bench: Bench, table: Table, total: int) -> None:
    """A row by its key, 304 when it is known, HEAD, and 404 where there is none."""
    if not table.key:
        return
    most = min(total, bench.rows_to_the_end)
    rows = sql.rows(bench.database, table, order=sql.by_key(bench.database, table), most=most)
    chosen = [*rows[:5], *rows[-5:]]
    chosen += random.Random(0).sample(rows, min(len(rows), ITEMS - len(chosen)))
    for row in dict.fromkeys(map(tuple, chosen)):
        address = item_address(table, row)
        if address is not None:
            await _check_item(bench, table, address, row)


def item_address(table: Table, row: Row) -> str | None:
    """None when a part of the key cannot be written in an address."""
    by_name = dict(zip((field.name for field in table.fields), row, strict=True))
    parts = [in_url(by_name[name], table.field(name).kind) for name in table.key]
    if any(part is None for part in parts):
        return None
    return address_of(table.resource, key=tuple(part for part in parts if part is not None))


async def _check_item(bench: Bench, table: Table, address: str, row: Row) -> None:
    client = bench.asking.client
    answer = await client.get(address)
    if not bench.check(address, "status", answer.status_code, 200):
        return
    bench.check(address, "row", item_row(answer.json(), table), row)
    etag = answer.headers.get("etag", "")
    known = await client.get(address, headers={"if-none-match": etag})
    bench.check(address, "status when known", (known.status_code, known.content), (304, b""))
    head = await client.head(address)
    bench.check(
        address,
        "HEAD",
        (
            head.status_code,
            head.headers.get("etag"),
            head.headers.get("content-length"),
            head.content,
        ),
        (200, etag, answer.headers.get("content-length"), b""),
    )


async def check_expansion(bench: Bench, table: Table, link: Link) -> None:
    target = bench.tables[link.target]
    if "," in link.name or "." in link.name:
        return
    if link.many and sql.most_children(bench.database, table, link, target) > RELATED_ROWS:
        bench.asking.report.skip(f"expand={link.name} of {table.resource}: too many rows for one")
        return
    address = address_of(table.resource, expand=link.name, limit=str(PARENTS))
    body = await bench.asking.get(address)
    if body is None or not table.key:
        return
    got: list[tuple[Row, Row]] = []
    for item in body["items"]:
        children = item[link.name] if link.many else [item[link.name]]
        got += [(item_row(item, table), item_row(child, target)) for child in children if child]
    expected = sql.related(bench.database, table, link, target, PARENTS)
    if not target.key:
        got, expected = (sorted(each, key=repr) for each in (got, expected))
    bench.check(address, f"rows of {link.name}", got, expected)


async def check_subcollection(bench: Bench, table: Table, link: Link) -> None:
    if not (link.many and table.key):
        return
    target = bench.tables[link.target]
    pairs = sql.related(bench.database, table, link, target, PARENTS)
    counted = Counter(parent for parent, _ in pairs)
    firsts = sql.rows(bench.database, table, order=sql.by_key(bench.database, table), most=2)
    chosen = [*(parent for parent, _ in counted.most_common(SUBCOLLECTIONS)), *firsts]
    for parent in dict.fromkeys(chosen):
        item = item_address(table, parent)
        if item is None:
            continue
        path = f"{item}/{key_part(link.name)}"
        address = with_query(path, {"limit": str(BIG_PAGE), "count": "exact"})
        expected = [child for other, child in pairs if other == parent]
        await _check_members(bench, target, address, expected)


async def _check_members(bench: Bench, target: Table, address: str, expected: list[Row]) -> None:
    got: list[Row] = []
    total = None
    async for _, body in bench.asking.pages(address):
        got += [item_row(item, target) for item in body["items"]]
        total = body["total"]
    if not target.key:
        got, expected = (sorted(each, key=repr) for each in (got, expected))
    bench.check(address, "total", total, len(expected))
    bench.check(address, "rows", got, expected)


async def check_exports(bench: Bench, table: Table, total: int) -> None:
    """CSV and NDJSON, whole for tables within the cap, else one page."""
    is_whole = total <= bench.rows_to_the_end
    query = {} if is_whole else {"limit": str(BIG_PAGE)}
    order = sql.by_key(bench.database, table) or _any_order(bench, table)
    most = total if is_whole else BIG_PAGE
    expected = sql.rows(bench.database, table, order=order, most=most)
    address = with_query(address_of(table.resource), query)
    lines = await _exported(bench, address, "application/x-ndjson")
    items = [json.loads(line) for line in lines.split("\n") if line]
    bench.check(address, "rows of NDJSON", [item_row(item, table) for item in items], expected)
    text = await _exported(bench, address, "text/csv")
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    bench.check(address, "header of CSV", header, [field.name for field in table.fields])
    bench.check(address, "rows of CSV", cells, [_texts(item, table) for item in items])


def _texts(item: dict[str, Any], table: Table) -> list[str]:
    """NULL and empty text are both read back as empty cells."""
    return [_text(item[field.name]) for field in table.fields]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


async def _exported(bench: Bench, address: str, media_type: str) -> str:
    answer = await bench.asking.client.get(address, headers={"accept": media_type})
    bench.check(address, f"status of {media_type}", answer.status_code, 200)
    return answer.content.decode()
