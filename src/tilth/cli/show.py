"""What an application consists of: all resources as a table, or one of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tilth.cli.describe import list_statement, resource_document, resource_named
from tilth.cli.discover import application_for
from tilth.cli.talk import counted, print_document, say, stdout
from tilth.errors import CommandError
from tilth.kernel.policy.policy import Action

Document = dict[str, Any]


def show_all(named: str | None, *, as_json: bool) -> None:
    backend = application_for(named).freeze()
    documents = [resource_document(backend, resource) for resource in backend.schema.values()]
    if as_json:
        notes = list(backend.notes)
        print_document({"title": backend.title, "resources": documents, "notes": notes})
        return
    stdout().print(_overview(documents))
    for note in backend.notes:
        say(f"note: {note}")
    say(f"{counted(len(documents), 'resource')} in {backend.store.database.label}.")


def show_one(named: str | None, resource_name: str, *, as_json: bool) -> None:
    if named is None and resource_name.partition(":")[0].endswith(".py"):
        hint = f"Write: tilth show --app {resource_name}"
        raise CommandError(f"{resource_name} is a file, not a resource.", hint)
    backend = application_for(named).freeze()
    resource = resource_named(backend.schema, resource_name)
    document = resource_document(backend, resource)
    document["sql"] = list_statement(backend, resource)
    if as_json:
        print_document({"resource": document})
    else:
        _print_whole(stdout(), document)


def _overview(documents: Sequence[Document]) -> Table:
    table = _table("resource", "model", "fields", "relations", "routes", "who may read")
    for each in documents:
        table.add_row(
            each["name"],
            each["model"],
            ", ".join(field["name"] for field in each["fields"]),
            ", ".join(_arrow(relation) for relation in each["relations"]) or "-",
            ", ".join(route["path"] for route in each["routes"]),
            each["policy"]["read"] or "nobody",
        )
    return table


def _print_whole(page: Console, document: Document) -> None:
    place = f"  {document['where']}" if document["where"] else ""
    page.print(f"{document['name']} ({document['model']}){place}", style="bold", soft_wrap=True)
    if document["description"]:
        page.print(document["description"], soft_wrap=True)
    key = ", ".join(document["key"]) or "none: rows can be listed, not addressed"
    page.print(f"key: {key}", soft_wrap=True)
    page.print(f"q= searches: {', '.join(document['search']) or 'nothing'}", soft_wrap=True)
    relations = [_relations(document["relations"])] if document["relations"] else []
    for table in (
        _fields(document["fields"]),
        *relations,
        _routes(document["routes"]),
        _policy(document["policy"]),
    ):
        page.print()
        page.print(table)
    page.print("\nSQL of the list, for anonymous", style="bold")
    page.print(document["sql"] or "None is run: anonymous may read no row.", soft_wrap=True)


def _fields(fields: Iterable[Document]) -> Table:
    table = _table("field", "kind", "null", "traits", "lookups")
    for each in fields:
        null = "yes" if each["nullable"] else "no"
        lookups = ", ".join(each["lookups"])
        table.add_row(each["name"], each["kind"], null, _traits(each), lookups)
    return table


def _traits(field: Document) -> str:
    traits = [name for name in ("unique", "computed") if field[name]]
    if field["max_length"] is not None:
        traits.append(f"at most {field['max_length']} characters")
    if field["has_default"]:
        traits.append("has a default")
    return ", ".join(traits) or "-"


def _relations(relations: Iterable[Document]) -> Table:
    table = _table("relation", "leads to", "answers")
    for each in relations:
        table.add_row(each["name"], each["target"], "a list" if each["many"] else "one row or null")
    return table


def _routes(routes: Iterable[Document]) -> Table:
    table = _table("route", "methods")
    for each in routes:
        table.add_row(each["path"], ", ".join(each["methods"]))
    return table


def _policy(policy: Document) -> Table:
    table = _table("policy", "rule")
    for action in get_args(Action):
        table.add_row(action, policy[action] or "nobody")
    for name, rule in policy["fields"].items():
        table.add_row(f"field {name}", rule)
    for option in ("hidden", "read_only", "write_once"):
        if policy[option]:
            table.add_row(option.replace("_", " "), ", ".join(policy[option]))
    for name, value in policy["preset"].items():
        table.add_row(f"preset {name}", value)
    return table


def _arrow(relation: Document) -> str:
    return f"{relation['name']} → {relation['target']}"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        # Names and rules hold no place to break a line well; what people read first stays whole.
        table.add_column(name, overflow="fold", no_wrap=name == columns[0])
    return table
