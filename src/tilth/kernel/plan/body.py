"""A request body + what the actor may write → values, references, links and children, or every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tilth.errors import Fault
from tilth.kernel.plan.change import Children, Key, Links, Row, WritePlan
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.size import Size
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.schema.bodies import accepted
from tilth.kernel.schema.resource import Field, Relation
from tilth.kit.text import sentence_list, suggest

MOST_LINKS = 100
MOST_CHILDREN = 1000
MOST_FAULTS = 100
"""Told at once: nobody reads more, and a suggestion for each of 10^5 names would take its time."""

Create = Callable[[Rights, Relation, Any, str], WritePlan | list[Fault]]


@dataclass(slots=True)
class Reading:
    """What has been read of one body so far. creating: a new row, not a change of one.

    size: of the whole request. merges: objects are patches of JSON fields, collected in patches.
    """

    sight: Sight
    rights: Rights
    pointer: str
    creating: bool
    size: Size
    merges: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    links: list[Links] = field(default_factory=list)
    children: list[Children] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    patches: set[str] = field(default_factory=set)

    def fault(self, name: str, code: str, detail: str, place: int | None = None) -> None:
        """place: of an item in the list that the member is."""
        below = member(name) if place is None else f"{member(name)}/{place}"
        self.faults.append(Fault(f"{self.pointer}{below}", code, detail))

    def put(self, name: str, field_name: str, value: Any) -> None:
        """name: of the member that says so; two members may stand for one field."""
        if field_name in self.values and self.values[field_name] != value:
            self.fault(name, "conflict", f"Another member gives {field_name!r} another value.")
        self.values[field_name] = value


def member(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def read_body(reading: Reading, body: Mapping[str, Any], create: Create) -> None:
    """create: makes the plan of a child, or says what is wrong with its body."""
    relations = dict(reading.sight.relations(reading.rights.access))
    for name, value in body.items():
        if len(reading.faults) >= MOST_FAULTS:
            return
        if name in reading.rights.access.fields:
            _read_field(reading, name, value)
        elif name in relations:
            _read_relation(reading, relations[name], value, create)
        else:
            _unknown(reading, name, relations)


def why_not_writable(rights: Rights, name: str, *, creating: bool) -> tuple[str, str] | None:
    """(code, sentence) of why the actor may not give the field a value; None when it may."""
    policy, found = rights.policy, rights.access.fields[name]
    if found.computed:
        return "computed", "Is made by the server and cannot be given."
    if name in policy.preset:
        return "preset", "Is set by the server and cannot be given."
    if name in policy.read_only:
        return "read_only", "Is read-only."
    if name in rights.access.resource.key:
        if not creating:
            return "key", "Is part of the key and cannot be changed."
        if found.has_default:
            return "key", "Is part of the key, which the server makes."
    if name in policy.write_once and not creating:
        return "write_once", "Can only be given when the row is created."
    return None


def writable(rights: Rights, *, creating: bool) -> Iterator[tuple[str, Field]]:
    for name, found in rights.access.fields.items():
        if why_not_writable(rights, name, creating=creating) is None:
            yield name, found


def is_needed_by_put(access: Access, found: Field) -> bool:
    """Whether nobody knows what the field becomes in a row that is replaced, when it is not sent.

    A default that is a value is known. One that is made anew each time, by a function or by the
    database, would be another than the one the row was made with. A field that is masked on some
    rows stays as it is.
    """
    if found.name in access.masked or plain_default(found) is not None:
        return False
    return found.has_default or found.is_required


def plain_default(found: Field) -> Any:
    """The value of a new row, where it is always the same one; None otherwise."""
    return deepcopy(found.default)


def _read_field(reading: Reading, name: str, value: Any) -> None:
    refused = why_not_writable(reading.rights, name, creating=reading.creating)
    if refused is not None:
        reading.fault(name, *refused)
        return
    found = reading.rights.access.fields[name]
    if reading.merges and found.kind.name == "json" and isinstance(value, dict):
        # What the model asks of a value, it asks of what becomes of it.
        reading.patches.add(name)
        found = replace(found, constraint=None)
    try:
        reading.put(name, name, accepted(found, value))
    except ValueError as exc:
        reading.fault(name, "null" if value is None else "bad_value", str(exc))


def _unknown(reading: Reading, name: str, relations: Iterable[str]) -> None:
    names = [n for n, _ in writable(reading.rights, creating=reading.creating)]
    close = suggest(name, [*names, *relations])
    hint = f"Did you mean {close!r}?" if close else f"Fields: {sentence_list(names)}."
    resource = reading.rights.access.resource.name
    reading.fault(name, "unknown_field", f"Unknown field {name[:80]!r} on {resource}. {hint}")


def _read_relation(reading: Reading, relation: Relation, value: Any, create: Create) -> None:
    if relation.local:
        _read_reference(reading, relation, value)
    elif relation.linkable is not None:
        _read_links(reading, relation, value)
    elif relation.remote and reading.creating:
        _read_children(reading, relation, value, create)
    else:
        where = f"the addresses of {relation.through or relation.target}"
        detail = f"Cannot be written from here: write its rows at {where}."
        reading.fault(relation.name, "not_writable", detail)


def _read_reference(reading: Reading, relation: Relation, value: Any) -> None:
    """A to-one relation, by the key of its row: {"id": 3}, or null."""
    refused = [
        why
        for name in relation.local
        if name in reading.rights.access.fields
        and (why := why_not_writable(reading.rights, name, creating=reading.creating))
    ]
    hidden = [name for name in relation.local if name not in reading.rights.access.fields]
    if refused or hidden:
        reading.fault(relation.name, *(refused[0] if refused else ("read_only", "Is read-only.")))
        return
    try:
        key = _key_in(reading, relation, value)
    except ValueError as exc:
        reading.fault(relation.name, "bad_value", str(exc))
        return
    for name, part in zip(relation.local, key, strict=True):
        if part is None and not reading.rights.access.fields[name].takes_null:
            reading.fault(relation.name, "null", "Must not be null.")
            return
        reading.put(relation.name, name, part)


def _key_in(reading: Reading, relation: Relation, value: Any) -> Key:
    """Raises ValueError for anything but an object of exactly the key's members, or null."""
    target = reading.sight.access(relation.target).resource
    if value is None:
        return (None,) * len(target.key)
    if not isinstance(value, dict) or set(value) != set(target.key):
        members = ", ".join(f'"{name}": …' for name in target.key)
        raise ValueError(f"Expected the key of a row of {target.name}: {{{members}}}.")
    return tuple(accepted(target.fields[name], value[name]) for name in target.key)


def _read_links(reading: Reading, relation: Relation, value: Any) -> None:
    if not isinstance(value, list) or len(value) > MOST_LINKS:
        detail = f"Expected a list of at most {MOST_LINKS} keys of {relation.target}."
        reading.fault(relation.name, "bad_value", detail)
        return
    rights = reading.sight.rights(relation.target)
    targets: dict[Key, Row] = {}
    for place, each in enumerate(value):
        try:
            key = _key_in(reading, relation, each)
        except ValueError as exc:
            reading.fault(relation.name, "bad_value", str(exc), place)
            continue
        if None in key:
            reading.fault(relation.name, "null", "Must not be null.", place)
        else:
            targets[key] = Row(rights, key)
    reading.size.add_links(len(targets))
    reading.links.append(Links(relation, tuple(targets.values()), instead=not reading.creating))


def _read_children(reading: Reading, relation: Relation, value: Any, create: Create) -> None:
    rights = reading.sight.rights(relation.target)
    pointer = reading.pointer + member(relation.name)
    if not relation.many:
        # The one row at the other side, which has the foreign key.
        bodies = {} if value is None else {pointer: value}
    elif isinstance(value, list) and len(value) <= MOST_CHILDREN:
        bodies = {f"{pointer}/{place}": each for place, each in enumerate(value)}
    else:
        detail = f"Expected a list of at most {MOST_CHILDREN} objects."
        reading.fault(relation.name, "bad_value", detail)
        return
    plans: list[WritePlan] = []
    for place, each in bodies.items():
        if len(reading.faults) >= MOST_FAULTS:
            break
        made = create(rights, relation, each, place)
        if isinstance(made, WritePlan):
            plans.append(made)
        else:
            reading.faults.extend(made)
    reading.children.append(Children(relation, tuple(plans)))
