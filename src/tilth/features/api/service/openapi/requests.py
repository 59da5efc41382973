"""What a caller may write of a resource → JSON Schema of the bodies that create and change its rows."""

from collections.abc import Collection, Sequence
from typing import Any

from tilth.features.api.service.openapi.components import Components, Part, Reference
from tilth.features.api.service.openapi.inputs import input_schema
from tilth.features.api.service.openapi.rows import nullable
from tilth.features.api.service.openapi.samples import sample_of
from tilth.features.api.service.openapi.view import View, is_addressable
from tilth.kernel.plan.body import (
    MOST_CHILDREN,
    MOST_LINKS,
    is_needed_by_put,
    why_not_writable,
    writable,
)
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.schema.resource import Relation

Properties = dict[str, Any]


class Requests:
    """Makes each body when it is first asked for, under the name of the class and what it is for."""

    def __init__(self, view: View, components: Components) -> None:
        self._view = view
        self._components = components
        self._made: dict[tuple[str, frozenset[str]], Reference] = {}
        self._keys: dict[str, Reference] = {}
        self._patches: dict[str, Reference] = {}

    def creation(self, resource_name: str) -> Reference:
        """`HeroCreate`."""
        return self._creation(resource_name, frozenset(), "Create")

    def creation_below(self, owner: Access, relation: Relation) -> Reference:
        """`HeroCreateBelowTeam`: what follows from the row above is not given again."""
        held = frozenset(relation.remote)
        suffix = f"CreateBelow{owner.resource.title}" if held else "Create"
        return self._creation(relation.target, held, suffix)

    def replacement(self, resource_name: str) -> Reference:
        """`HeroReplace`: the whole row, but for what has a plain default or may be null."""
        rights = self._view.sight.rights(resource_name)
        needed = {
            name
            for name, field in writable(rights, creating=False)
            if is_needed_by_put(rights.access, field)
        }
        body = _body(rights.access, self._properties(rights, creating=False), needed)
        return self._components.add("schemas", f"{rights.access.resource.title}Replace", body)

    def patch(self, resource_name: str) -> Reference:
        """`HeroPatch`: whatever is given is changed."""
        if resource_name not in self._patches:
            rights = self._view.sight.rights(resource_name)
            title = f"{rights.access.resource.title}Patch"
            body = _body(rights.access, self._properties(rights, creating=False), frozenset())
            self._patches[resource_name] = self._components.add("schemas", title, body)
        return self._patches[resource_name]

    def _creation(self, resource_name: str, held: frozenset[str], suffix: str) -> Reference:
        known = self._made.get((resource_name, held))
        if known is not None:
            return known
        rights = self._view.sight.rights(resource_name)
        title = f"{rights.access.resource.title}{suffix}"
        # Rows below may again have rows of this class below them.
        made = self._made[resource_name, held] = self._components.reserve("schemas", title)
        needed = {
            name
            for name, field in writable(rights, creating=True)
            if field.is_required and name not in held
        }
        properties = self._properties(rights, creating=True, held=held)
        self._components.fill(made, _body(rights.access, properties, needed))
        return made

    def _properties(
        self, rights: Rights, *, creating: bool, held: frozenset[str] = frozenset()
    ) -> Properties:
        properties: Properties = {
            name: input_schema(field)
            for name, field in writable(rights, creating=creating)
            if name not in held
        }
        for relation, target in self._view.relations(rights.access):
            schema = self._relation(rights, relation, target, creating=creating)
            if schema is not None and held.isdisjoint(relation.local):
                properties.setdefault(relation.name, schema)
        return properties

    def _relation(
        self, rights: Rights, relation: Relation, target: Access, *, creating: bool
    ) -> Part | None:
        """None for one that cannot be written from here."""
        if relation.local:
            return self._reference(rights, relation, target, creating=creating)
        if relation.linkable is not None and is_addressable(target):
            return {"type": "array", "items": self._key(target), "maxItems": MOST_LINKS}
        if not (relation.remote and creating):
            return None
        if not self._view.sight.rights(relation.target).may("create"):
            return None
        below = self.creation_below(rights.access, relation)
        if not relation.many:
            return nullable(below)
        return {"type": "array", "items": below, "maxItems": MOST_CHILDREN}

    def _reference(
        self, rights: Rights, relation: Relation, target: Access, *, creating: bool
    ) -> Part | None:
        fields = rights.access.fields
        may = is_addressable(target) and all(
            name in fields and why_not_writable(rights, name, creating=creating) is None
            for name in relation.local
        )
        if not may:
            return None
        key = self._key(target)
        return nullable(key) if all(fields[name].takes_null for name in relation.local) else key

    def _key(self, target: Access) -> Reference:
        """`TeamKey`: by which a row of another resource is named, `{"id": 3}`."""
        name = target.resource.name
        if name not in self._keys:
            parts = {part: input_schema(target.fields[part]) for part in target.resource.key}
            schema = _object(parts, list(parts))
            self._keys[name] = self._components.add(
                "schemas", f"{target.resource.title}Key", schema
            )
        return self._keys[name]


def _body(access: Access, properties: Properties, needed: Collection[str]) -> Part:
    """needed: fields that must be given, by themselves or by a relation that stands for them."""
    required: list[str] = []
    rules: list[Part] = []
    for name in (each for each in properties if each in access.fields):
        relations = [
            each.name
            for each in access.resource.relations.values()
            if name in each.local and each.name in properties.keys() - access.fields.keys()
        ]
        if name in needed and relations:
            rules.append({"oneOf": [{"required": [each]} for each in (name, *relations)]})
        elif name in needed:
            required.append(name)
        else:
            rules += ({"not": {"required": [name, each]}} for each in relations)
    sample = _sample(access, properties, needed)
    return {
        **_object(properties, required, rules),
        **({"examples": [sample]} if sample else {}),
    }


def _sample(
    access: Access, properties: Properties, needed: Collection[str]
) -> dict[str, Any] | None:
    """Fields alone: relations say the same in other words, and which rows there are, who knows."""
    chosen = {name for each in access.resource.relations.values() for name in each.local}
    shown = [n for n in properties if n in access.fields and (n in needed or n not in chosen)]
    return sample_of({name: properties[name] for name in shown}, needed)


def _object(properties: Properties, required: list[str], rules: Sequence[Part] = ()) -> Part:
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        **({"allOf": list(rules)} if rules else {}),
        "additionalProperties": False,
    }
