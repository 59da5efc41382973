"""What the OpenAPI document allows as the value of a lookup, the planner understands."""

from enum import Enum as PythonEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Enum

from tilth.features.api.service.openapi.values import lookup_values
from tilth.kernel.plan.lookups import parse_texts, split_values
from tilth.kernel.schema.kinds import NAMED, Kind, decimal_kind, kind_of


class Level(PythonEnum):
    LOW = "low"
    ODD = 'a, "b" (c)'
    ONE = 1


def enum_kind() -> Kind:
    kind = kind_of(Enum(Level), "sqlite")
    assert kind is not None
    return kind


KINDS = {**NAMED, "decimal": decimal_kind(2), "enum": enum_kind()}

CASES = [
    (name, lookup, schema["pattern"])
    for name, kind in KINDS.items()
    for lookups, schema in lookup_values(kind)
    for lookup in lookups
    if "pattern" in schema
]


@settings(max_examples=300)
@given(st.data(), st.sampled_from(CASES))
def test_every_text_that_fits_the_pattern_is_understood(
    data: st.DataObject, case: tuple[str, str, str]
) -> None:
    name, lookup, pattern = case
    text = data.draw(st.from_regex(pattern.removesuffix("$") + r"\Z"))
    texts = split_values(text) if lookup in ("in", "range") else (text,)

    parse_texts(KINDS[name], lookup, texts)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_lookup_of_a_kind_is_in_the_document_once(name: str) -> None:
    kind = KINDS[name]

    found = [lookup for lookups, _ in lookup_values(kind) for lookup in lookups]
    assert sorted(found) == sorted(kind.lookups)
