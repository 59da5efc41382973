"""Statements that a piece of code has run → what is wrong with how it runs them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

from sqlalchemy import Engine, event

from tilth.kernel.store.sessions.places import calling_place

RELATION = "tilth_relation"
"""Execution option: the relation, "Team.heroes", that a statement loads for one object."""

BATCH = "tilth_batch"
"""Execution option: the statement is about many rows, and is repeated for more of them."""

REPEATED = 3
"""Times that one statement is run at one place, with other values, before it is remarked upon."""

SLOW_MILLISECONDS = 100
MANY_ROWS = 1_000

SHOWN_CHARACTERS = 160

_FRAME = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "PRAGMA", "SET ")
_BEGAN = "tilth_began"

Code = Literal["n_plus_one", "duplicate", "slow", "unbounded"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement. place: "app.py:12", or None when no code of the developer's asked for it."""

    sql: str
    values: str
    place: str | None
    relation: str | None
    is_batch: bool
    milliseconds: float

    def __str__(self) -> str:
        text = " ".join(self.sql.split())
        short = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        return f"{self.place or 'by itself'}: {short}"


@dataclass(frozen=True, slots=True)
class Remark:
    code: Code
    text: str


@dataclass(slots=True)
class Watch:
    """What was asked meanwhile, in order. many: place, model and number of rows read at once."""

    asked: list[Asked] = field(default_factory=list)
    many: list[tuple[str | None, str, int]] = field(default_factory=list)

    def add(
        self, sql: str, values: object, milliseconds: float, options: Any, *, is_meant: bool = False
    ) -> None:
        """is_meant: when it is repeated, that is no mistake of the developer's."""
        if sql.startswith(_FRAME):
            return
        relation, is_batch = options.get(RELATION), is_meant or bool(options.get(BATCH))
        place = calling_place()
        self.asked.append(Asked(sql, repr(values), place, relation, is_batch, milliseconds))

    def remarks(self) -> list[Remark]:
        return [*self._repeated(), *self._slow(), *self._unbounded()]

    def _repeated(self) -> Iterator[Remark]:
        groups: dict[tuple[str, str | None], list[Asked]] = defaultdict(list)
        for each in self.asked:
            if each.sql.startswith("SELECT") and not each.is_batch:
                groups[each.sql, each.place].append(each)
        for alike in groups.values():
            distinct = {each.values for each in alike}
            if len(distinct) >= REPEATED:
                yield _n_plus_one(alike)
            elif len(alike) > len(distinct):
                yield _duplicate(alike)

    def _slow(self) -> Iterator[Remark]:
        for each in self.asked:
            if each.milliseconds >= SLOW_MILLISECONDS:
                took = f"took {each.milliseconds:.0f} ms"
                hint = "explain() of the query set shows whether an index serves it."
                yield Remark("slow", f"{each} … {took}: {hint}")

    def _unbounded(self) -> Iterator[Remark]:
        for place, model, count in self.many:
            yield Remark(
                "unbounded",
                f"{place or 'by itself'}: {count:,} {model} objects were read at once, and more as "
                f"rows are added: take a slice, or iterator().",
            )


def _n_plus_one(alike: Sequence[Asked]) -> Remark:
    first = alike[0]
    if first.relation is None:
        fix = "Ask once for all of them: filter(id__in=[…]), or load what they lead to beside them."
    else:
        model, _, name = first.relation.partition(".")
        fix = (
            f'Load {first.relation} with the rows: .prefetch("{name}") (or select_related, where it '
            f"leads to one), or selectinload({model}.{name})."
        )
    return Remark("n_plus_one", f"{first} … {len(alike)} times, a statement for each row. {fix}")


def _duplicate(alike: Sequence[Asked]) -> Remark:
    return Remark(
        "duplicate",
        f"{alike[0]} … {len(alike)} times with the same values: keep the query set, which remembers "
        f"its rows, or the value.",
    )


CURRENT: ContextVar[Watch | None] = ContextVar("tilth_watch", default=None)
"""What the statements of this request go to, where requests are watched."""


def watch_requests() -> None:
    """From now on, statements of every engine of this process are noted with their request."""
    if not event.contains(Engine, "after_cursor_execute", _end_in_request):
        event.listen(Engine, "before_cursor_execute", began)
        event.listen(Engine, "after_cursor_execute", _end_in_request)


def began(connection: Any, *_: object) -> None:
    connection.info[_BEGAN] = perf_counter()


def _end_in_request(
    connection: Any, cursor: object, statement: str, parameters: object, context: Any, _: bool
) -> None:
    watch = CURRENT.get()
    if watch is not None:
        end(watch, connection, statement, parameters, context)


def end(
    watch: Watch,
    connection: Any,
    statement: str,
    parameters: object,
    context: Any,
    *,
    is_meant: bool = False,
) -> None:
    milliseconds = (perf_counter() - connection.info[_BEGAN]) * 1000
    watch.add(statement, parameters, milliseconds, context.execution_options, is_meant=is_meant)
