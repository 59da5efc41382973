"""Why may, or may not, this actor read this row: the policy's rules with the answer of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, and_, false, literal, literal_column, select
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, Grouping

from tilth.errors import NotFound
from tilth.kernel.plan.cursor import Signer
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import key_values, plan_read
from tilth.kernel.plan.shape import Node, ReadPlan, ReadShape
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.fold import fold, is_negation, parts_of
from tilth.kernel.policy.policy import Action
from tilth.kernel.policy.rulebook import Chapter, role_slots
from tilth.kernel.policy.rules import Rule
from tilth.kernel.policy.wording import wording
from tilth.kernel.schema.resource import Resource
from tilth.kernel.store.binds import Binds, arguments
from tilth.kernel.store.decode import RowDecoder
from tilth.kernel.store.run import Store
from tilth.kernel.store.source import Source, ruled, stored_rows
from tilth.kernel.store.statement import compiled_from, key_terms

Sql = ColumnElement[Any]
Decision = Literal["allowed", "denied", "absent"]
Verdict = bool | None
"""None is SQL's unknown, which denies."""


@dataclass(frozen=True, slots=True)
class Part:
    """One rule or combination of rules, as an outline. wording: as written, or all of, any of, not."""

    depth: int
    wording: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Mask:
    """One field that has a rule of its own, and as what it is read in this row."""

    field: str
    wording: str
    reads: Literal["value", "null", "hidden"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """decision: "absent" when there is no such row. because: the rules that decided.

    fields: those with rules of their own; they count where the row itself may be read.
    sql: the statement that reads the row for this actor, with the driver's placeholders.
    """

    decision: Decision
    because: tuple[str, ...]
    parts: tuple[Part, ...]
    fields: tuple[Mask, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A node of the rule with its answer."""

    wording: str
    verdict: Verdict
    below: tuple[Answered, ...] = ()


async def explain_row(
    store: Store, sight: Sight, resource_name: str, key: Sequence[str], action: Action = "read"
) -> Explanation:
    """action: read, or update or delete of the row as it is, which has to be readable too.

    Raises NotFound for an unknown resource, or a key that cannot be one of it.
    """
    if resource_name not in sight.schema:
        raise NotFound(f"There is no resource {resource_name!r}.")
    chapter = sight.rulebook.chapters[resource_name]
    rule = _rule_of(chapter, action)
    asked = list(_asked_of_the_row(rule))
    of_fields = chapter.fields.values()
    answers = await _answers(store, sight, chapter.resource, key, [*asked, *of_fields])
    if answers is None:
        return Explanation("absent", ("there is no such row",), (), (), "")
    tables = chapter.resource.tables
    masks = (
        ()
        if action != "read"
        else tuple(_masks(chapter, sight.access(resource_name), answers[len(asked) :]))
    )
    leaves = {
        id(part): Answered(wording(part, tables), verdict)
        for part, verdict in zip(asked, answers, strict=False)
    }
    tree = _answered(rule, sight.actor, leaves)
    sql = "" if action != "read" else _sql(store, sight, resource_name, key)
    decision: Decision = "allowed" if tree.verdict else "denied"
    return Explanation(decision, tuple(_deciding(tree)), tuple(_outline(tree, 0)), masks, sql)


def _rule_of(chapter: Chapter, action: Action) -> Sql:
    readable = chapter.read if chapter.read is not None else false()
    if action == "read":
        return readable
    rule = chapter.writing.get(action)
    return and_(readable, rule if rule is not None else false())


def _masks(chapter: Chapter, access: Access, verdicts: Sequence[Verdict]) -> Iterator[Mask]:
    for name in chapter.policy.hidden:
        yield Mask(name, "hidden from everyone", "hidden")
    for (name, rule), verdict in zip(chapter.fields.items(), verdicts, strict=True):
        reads: Literal["value", "null", "hidden"] = "value" if verdict else "null"
        text = wording(rule, chapter.resource.tables)
        yield Mask(name, text, reads if name in access.fields else "hidden")


async def _answers(
    store: Store,
    sight: Sight,
    resource: Resource,
    key: Sequence[str],
    asked: Sequence[Sql],
) -> list[Verdict] | None:
    """What each part says of the row, or None when there is no row: the policy is left aside."""
    everything = Access(resource, None, "all", None, {}, {}, role_slots=role_slots(sight.actor))
    values = key_values(everything, key)
    binds = Binds(store.database.dialect)
    source = stored_rows(everything)
    parts: list[Sql] = [_part(part, source, sight.actor, binds) for part in asked]
    of_key = key_terms(source, range(len(values)), binds)
    row = select(*[literal_column("1"), *parts]).select_from(source.rows).where(*of_key)
    statement = compiled_from(row, binds, RowDecoder(()))
    plan = ReadPlan(ReadShape(Node(everything, ())), tuple(values), (), limit=1)
    found = await store.database.fetch(
        statement.sql, arguments(statement.parameters, plan, sight.actor)
    )
    return [None if cell is None else bool(cell) for cell in found[0][1:]] if found else None


def _part(part: Sql, source: Source, actor: Actor, binds: Binds) -> Sql:
    """One part over the row; leaf rules inside its EXISTS are decided first."""
    folded = fold(part, lambda leaf: leaf.holds_for(actor))
    return literal(folded) if isinstance(folded, bool) else ruled(folded, source.access, binds)


def _sql(store: Store, sight: Sight, resource_name: str, key: Sequence[str]) -> str:
    """Empty when the actor alone decides: no statement is run at all."""
    if sight.access(resource_name).rows == "none":
        return ""
    plan = plan_read(Intent(resource_name, tuple(key)), sight, Signer(b"explain"))
    return store.statement(plan.shape).sql


def _asked_of_the_row(rule: Sql) -> Iterator[Sql]:
    """The parts that are neither leaf rules nor combinations: these the database answers."""
    if isinstance(rule, Rule):
        return
    below = _below(rule)
    if not below:
        yield rule
    for part in below:
        yield from _asked_of_the_row(part)


def _below(rule: Sql) -> Sequence[Sql]:
    if isinstance(rule, BooleanClauseList):
        return parts_of(rule)
    if isinstance(rule, Grouping) or is_negation(rule):
        return [cast(Sql, rule.element)]
    return ()


def _answered(rule: Sql, actor: Actor, leaves: Mapping[int, Answered]) -> Answered:
    """leaves: by id of the part of the rule, what the database answered."""
    if isinstance(rule, Rule):
        return Answered(rule.wording, rule.holds_for(actor))
    if isinstance(rule, Grouping):
        return _answered(cast(Sql, rule.element), actor, leaves)
    below = tuple(_answered(part, actor, leaves) for part in _below(rule))
    if not below:
        return leaves[id(rule)]
    if is_negation(rule):
        return Answered("not", None if below[0].verdict is None else not below[0].verdict, below)
    verdicts = [part.verdict for part in below]
    if isinstance(rule, BooleanClauseList) and rule.operator is operators.and_:
        return Answered("all of", _all(verdicts), below)
    return Answered("any of", _any(verdicts), below)


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    return False if False in verdicts else None if None in verdicts else True


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    return True if True in verdicts else None if None in verdicts else False


def _deciding(tree: Answered) -> Iterator[str]:
    """The rules without which the answer could be another."""
    if not tree.below:
        yield tree.wording + (
            "" if tree.verdict else " is not so" if tree.verdict is False else " is unknown"
        )
        return
    for part in tree.below:
        if tree.wording == "not" or bool(part.verdict) == bool(tree.verdict):
            yield from _deciding(part)


def _outline(tree: Answered, depth: int) -> Iterator[Part]:
    yield Part(depth, tree.wording, tree.verdict)
    for part in tree.below:
        yield from _outline(part, depth + 1)
