"""What one object is on its way from the database: messages and bytes, or SQL, plan and storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import environ
from typing import Any

from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from tilth.cli.describe import resource_named
from tilth.cli.discover import application_for
from tilth.cli.rows import key_of
from tilth.cli.talk import print_document, stdout
from tilth.errors import CommandError
from tilth.feature import Backend
from tilth.kernel.schema.resource import Resource
from tilth.kernel.store.engine import refuse_mariadb
from tilth.kernel.store.sync import explain_connection_error
from tilth.kernel.store.wire.columns import Column, object_statement
from tilth.kernel.store.wire.messages import Message, Part
from tilth.kernel.store.wire.postgres import Conversation, overheard
from tilth.kernel.store.wire.sqlite import Stored, looked_up

BYTES_PER_LINE = 16
ARROWS = {"client": "→", "server": "←"}
REDACTED = "(redacted)"


def wire(named: str | None, resource_name: str, key_text: str, *, as_json: bool) -> None:
    """Raises CommandError for what is not there, and in production."""
    _refuse_production()
    backend = application_for(named).freeze()
    refuse_mariadb(backend.store.database.url, "Looking at what goes over the wire is")
    resource = resource_named(backend.schema, resource_name)
    key = key_of(resource, key_text)
    found = _found(backend, resource, key)
    if found.entity is None:
        raise CommandError(f"There is no {resource.name}/{key_text}.")
    if as_json:
        print_document(_document(found))
    elif isinstance(found, Conversation):
        _print_conversation(found)
    else:
        _print_stored(found)


def _refuse_production() -> None:
    """Where it is said to be that: a command is also run where nothing is said."""
    if environ.get("TILTH_ENVIRONMENT") == "production":
        raise CommandError(
            "This shows the content of a row, so it is not for production.",
            "Use it on a copy, with TILTH_ENVIRONMENT=development.",
        )


def _found(backend: Backend, resource: Resource, key: Sequence[str]) -> Conversation | Stored:
    policy = backend.rulebook.chapters[resource.name].policy
    hidden = {*policy.hidden, *policy.fields}
    fields = [resource.fields[name] for name in resource.key]
    values = [field.kind.parse(part) for field, part in zip(fields, key, strict=True)]
    statement = object_statement(resource, values)
    url = backend.store.database.url
    look = overheard if url.drivername == "postgresql" else looked_up
    try:
        return look(url, resource.model, statement, hidden)
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc


def _document(found: Conversation | Stored) -> dict[str, Any]:
    columns = [
        {
            "name": column.name,
            "attribute": column.attribute,
            "type": column.stored,
            "value": _value(found.entity, column),
        }
        for column in found.columns
    ]
    if isinstance(found, Stored):
        plan = [{"depth": depth, "step": step} for depth, step in found.plan]
        return {"sql": found.sql, "plan": plan, "columns": columns}
    return {"columns": columns, "messages": [_message_document(each) for each in found.messages]}


def _message_document(message: Message) -> dict[str, Any]:
    parts = [
        {"name": part.name, "value": part.value, "start": part.start, "stop": part.stop}
        for part in message.parts
    ]
    told = {"sender": message.sender, "code": message.code, "name": message.name, "parts": parts}
    return {**told, "bytes": message.raw.hex()}


def _print_conversation(found: Conversation) -> None:
    page = stdout()
    for message in found.messages:
        page.print(_heading(message), soft_wrap=True)
        for part in message.parts:
            page.print(_part_line(message, part, found), soft_wrap=True)
        for line in _hex_lines(message.raw):
            page.print(line, style="dim", soft_wrap=True)


def _heading(message: Message) -> Text:
    arrow, size = ARROWS[message.sender], f"  {message.code!r}, {len(message.raw)} bytes"
    return Text.assemble((f"{arrow} {message.name}", "bold"), size)


def _part_line(message: Message, part: Part, found: Conversation) -> str:
    span = f"{part.start:04x}-{part.stop:04x}" if part.stop > part.start else "    -    "
    line = f"    {span}  {part.name}: {' '.join(part.value.split())}"
    if part.column is None:
        return line
    column = found.columns[part.column]
    if message.name == "DataRow":
        line = f"    {span}  {column.name}: {part.value}"
    return f"{line}  {_becomes(found.entity, column, with_value=message.name == 'DataRow')}"


def _becomes(entity: Any, column: Column, *, with_value: bool) -> str:
    if column.attribute is None:
        return f"({column.stored})"
    name = f"{type(entity).__name__}.{column.attribute}"
    return f"⇒ {name} = {_value(entity, column)}" if with_value else f"({column.stored}) ⇒ {name}"


def _value(entity: Any, column: Column) -> str:
    if column.is_secret or column.attribute is None:
        return REDACTED
    return repr(getattr(entity, column.attribute))


def _hex_lines(raw: bytes) -> Iterator[str]:
    for at in range(0, len(raw), BYTES_PER_LINE):
        piece = raw[at : at + BYTES_PER_LINE]
        digits = " ".join(f"{byte:02x}" for byte in piece)
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
        yield f"        {at:04x}  {digits:{BYTES_PER_LINE * 3 - 1}}  {text}"


def _print_stored(found: Stored) -> None:
    page = stdout()
    page.print("SQL", style="bold")
    page.print(found.sql, soft_wrap=True)
    page.print("\nplan", style="bold")
    for depth, step in found.plan:
        page.print(f"{'  ' * depth}{step}", soft_wrap=True)
    page.print("\nstored", style="bold")
    for column in found.columns:
        became = _becomes(found.entity, column, with_value=True)
        page.print(f"{column.name}: {column.stored}  {became}", soft_wrap=True)
