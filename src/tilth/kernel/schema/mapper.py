"""Mapped classes → the Schema, and everything that is wrong with them at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import ColumnProperty, Mapper

from tilth.errors import Finding
from tilth.kernel.schema.checks import (
    PARAMETERS,
    mapped_exposures,
    name_warnings,
    search_findings,
    storage_findings,
    table_findings,
)
from tilth.kernel.schema.configure import configure
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.fields import fields_of
from tilth.kernel.schema.place import place_of, placed
from tilth.kernel.schema.references import with_associations, with_references
from tilth.kernel.schema.relations import relations_of
from tilth.kernel.schema.resource import Field, Relation, Resource, Schema
from tilth.kernel.schema.tables import criterion_of, declared, key_of, links_of, tables_of
from tilth.kernel.schema.upkeep import kept_by_server, upkeep_findings, without_deleted


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A resource with an error: not served. faulty: its columns that did not become fields."""

    resource: Resource
    faulty: frozenset[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """unfinished: those of which enough is known to check their policies."""

    schema: Schema
    unfinished: tuple[Unfinished, ...]
    findings: list[Finding]


def schema_from(exposures: Sequence[Exposure], dialect_name: str) -> tuple[Schema, list[Finding]]:
    """What `resolve` says of resources that can be served."""
    resolved = resolve(exposures, dialect_name)
    return resolved.schema, resolved.findings


def resolve(exposures: Sequence[Exposure], dialect_name: str) -> Resolved:
    """Every exposed model as a resource. dialect_name: "sqlite" or "postgresql".

    A mistake of the developer is never raised: all are answered as findings, and a resource with
    an error is left out of the schema, with the relations that lead to it.
    """
    mapped, findings = mapped_exposures(exposures)
    broken = configure(mapper for _, mapper in mapped)
    names = {mapper.class_: str(exposure.name) for exposure, mapper in mapped}
    resources: dict[str, Resource] = {}
    unfinished: list[Unfinished] = []
    for exposure, mapper in mapped:
        fields, found = _fields(exposure, mapper, dialect_name)
        relations: dict[str, Relation] = {}
        if fields and not broken:
            relations, loose = relations_of(mapper, names)
            found += [*loose, *_relation_warnings(mapper, relations)]
        # What is searched is said where the model is exposed, and does not keep its policy from
        # being checked too.
        known = [prop.key for prop in declared(mapper, ColumnProperty)]
        searched = search_findings(exposure, fields, known) if fields else ()
        findings += [placed(each, exposure.where, place_of(mapper.class_)) for each in searched]
        findings += [placed(finding, place_of(mapper.class_)) for finding in found]
        if not fields or broken:
            continue
        resource = _resource(exposure, mapper, fields, relations)
        if any(finding.level == "error" for finding in found):
            unfinished.append(Unfinished(resource, _columns_of(mapper) - fields.keys()))
        else:
            resources[resource.name] = resource
    schema = MappingProxyType(_complete(resources, exposures))
    return Resolved(schema, tuple(unfinished), [*findings, *broken])


def _columns_of(mapper: Mapper[Any]) -> frozenset[str]:
    return frozenset(prop.key for prop in declared(mapper, ColumnProperty))


def _fields(
    exposure: Exposure, mapper: Mapper[Any], dialect_name: str
) -> tuple[dict[str, Field], list[Finding]]:
    """The columns, whether or not the relationships are in order."""
    unusable = list(table_findings(mapper))
    if unusable:
        return {}, unusable
    title = mapper.class_.__name__
    fields, findings = fields_of(mapper, dialect_name, reflected=exposure.reflected)
    findings += upkeep_findings(title, exposure.upkeep, fields, exposure.where)
    findings += name_warnings(title, fields)
    if not exposure.reflected:
        findings += storage_findings(title, fields.values(), dialect_name)
    return fields, findings


def _relation_warnings(mapper: Mapper[Any], relations: Mapping[str, Relation]) -> Iterator[Finding]:
    # A relation is only asked about through its fields, so the bare names of parameters are free.
    names = [name for name in relations if name not in PARAMETERS]
    return name_warnings(mapper.class_.__name__, names)


def _resource(
    exposure: Exposure,
    mapper: Mapper[Any],
    fields: Mapping[str, Field],
    relations: Mapping[str, Relation],
) -> Resource:
    criterion = criterion_of(mapper)
    return Resource(
        name=str(exposure.name),
        title=mapper.class_.__name__,
        model=mapper.class_,
        tables=tables_of(mapper),
        fields=MappingProxyType(kept_by_server(fields, exposure.upkeep)),
        relations=relations,
        key=key_of(mapper),
        links=links_of(mapper),
        criterion=without_deleted(criterion, fields, exposure.upkeep),
        upkeep=exposure.upkeep,
        search=exposure.search,
        description=_description(mapper),
    )


def _description(mapper: Mapper[Any]) -> str | None:
    """The class's own docstring, unless it is the signature dataclasses write, or the comment."""
    written = mapper.class_.__dict__.get("__doc__")
    if written and not written.startswith(f"{mapper.class_.__name__}("):
        return cleandoc(written)
    table = mapper.local_table
    return table.comment if isinstance(table, Table) else None


def _complete(
    resources: Mapping[str, Resource], exposures: Sequence[Exposure]
) -> dict[str, Resource]:
    """With what follows from their being there together."""
    linked = {exposure.model: exposure.linked for exposure in exposures}
    return with_references(with_associations(_without_loose_ends(resources), linked))


def _without_loose_ends(resources: Mapping[str, Resource]) -> dict[str, Resource]:
    """Without the relations that lead to a resource that was left out."""
    return {
        name: replace(
            resource,
            relations=MappingProxyType(
                {key: each for key, each in resource.relations.items() if each.target in resources}
            ),
        )
        for name, resource in resources.items()
    }
