"""A key as in URLs → one row of a resource."""

from __future__ import annotations

from tilth.errors import CommandError
from tilth.features.api.service.links import parse_key
from tilth.kernel.schema.resource import Resource


def key_of(resource: Resource, text: str) -> tuple[str, ...]:
    """Raises CommandError for what cannot be a key of the resource."""
    if not resource.key:
        hint = "Rows of a view or a table without a key can be listed, not addressed."
        raise CommandError(f"{resource.name} has no key.", hint)
    fields = [resource.fields[name] for name in resource.key]
    parts = parse_key(text, len(fields))
    shape = ",".join(f"{field.name} ({field.kind.name})" for field in fields)
    if len(parts) != len(fields):
        raise CommandError(f"{text} is not a key of {resource.name}.", f"Its key: {shape}")
    for field, part in zip(fields, parts, strict=True):
        try:
            field.kind.parse(part)
        except ValueError as exc:
            reason = f"{text} is not a key of {resource.name}: {field.name}: {exc}"
            raise CommandError(reason, f"Its key: {shape}") from exc
    return parts
