"""What one actor can see of the schema: the only way plans look names up."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tilth.errors import BadRequest, Forbidden, NotFound, Unauthenticated, bad_parameter
from tilth.kernel.plan.before import Hooks
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.rulebook import Rulebook
from tilth.kernel.schema.resource import Field, Relation, Schema
from tilth.kit.text import suggest


@dataclass(frozen=True, slots=True)
class Sight:
    """An actor before a schema. hooks: what is asked of every plan for a write.

    consulted: the names of the resources whose access was asked for, where someone wants to know.
    """

    schema: Schema
    rulebook: Rulebook
    actor: Actor
    hooks: Hooks = field(default_factory=dict)
    consulted: set[str] | None = None

    def access(self, resource_name: str) -> Access:
        if self.consulted is not None:
            self.consulted.add(resource_name)
        return self.rulebook.access(resource_name, self.actor)

    def rights(self, resource_name: str) -> Rights:
        return self.rulebook.rights(resource_name, self.actor)

    def relations(self, access: Access) -> Iterator[tuple[str, Relation]]:
        """Relations to resources of which the actor may see at least some rows."""
        for name, relation in access.resource.relations.items():
            if self.access(relation.target).rows != "none":
                yield name, relation


def entered(sight: Sight, resource_name: str) -> Access:
    """The access to a resource asked for by name.

    Raises NotFound for an unknown name; Unauthenticated or Forbidden when no row may be read,
    which depends on the actor alone and so tells nothing about rows.
    """
    if resource_name not in sight.schema:
        seen = (name for name in sight.schema if sight.access(name).rows != "none")
        hint = hint_at(resource_name, seen)
        raise NotFound(f"There is no resource {resource_name!r} here.{hint}")
    access = sight.access(resource_name)
    if access.rows != "none":
        return access
    if sight.actor.is_signed_in:
        raise Forbidden(f"You may not read {resource_name}.")
    raise Unauthenticated(f"Sign in to read {resource_name}.")


def field_named(access: Access, name: str, parameter: str) -> Field:
    found = access.fields.get(name)
    if found is None:
        raise unknown_name(name, parameter, access.resource.name, access.fields)
    return found


def relation_named(sight: Sight, access: Access, name: str, parameter: str) -> Relation:
    relations = dict(sight.relations(access))
    found = relations.get(name)
    if found is None:
        raise unknown_name(name, parameter, access.resource.name, relations, "relation")
    return found


def unknown_name(
    name: str,
    parameter: str,
    resource_name: str,
    candidates: Mapping[str, object] | Iterable[str],
    noun: str = "field",
) -> BadRequest:
    """A 400 that suggests only among candidates, which the caller has made sure may be seen."""
    names = sorted(candidates)
    listed = f"{noun.capitalize()}s: {', '.join(names)}." if names else f"It has no {noun}s."
    detail = f"Unknown {noun} {name!r} on {resource_name}.{hint_at(name, names)} {listed}"
    return bad_parameter(parameter, f"unknown_{noun}", detail)


def hint_at(name: str, candidates: Iterable[str]) -> str:
    """A sentence to append, or nothing. Only candidates that the caller may know of."""
    close = suggest(name, candidates)
    return f" Did you mean {close!r}?" if close else ""
