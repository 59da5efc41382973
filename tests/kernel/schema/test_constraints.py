"""What a SQLModel field asks of its values, in the words of JSON Schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import AfterValidator
from sqlmodel import Field, SQLModel

from tilth.kernel.schema.constraints import limits_from


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    age: int | None = Field(default=None, ge=18, lt=99)
    name: str = Field(min_length=2, max_length=80)
    fee: Decimal = Field(default=0, ge=0, max_digits=8, decimal_places=2)
    plain: str = ""


LIMITS: dict[str, dict[str, Any]] = {
    "id": {},
    "age": {"minimum": 18, "exclusiveMaximum": 99},
    "name": {"minLength": 2, "maxLength": 80},
    "fee": {"minimum": 0},
    "plain": {},
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_from(name: str) -> None:
    assert limits_from(Hero.model_fields[name]) == LIMITS[name]


def test_what_json_schema_has_no_word_for_is_left_out() -> None:
    field = Hero.model_fields["age"]._copy()
    field.metadata = [AfterValidator(abs)]

    assert limits_from(field) == {}
    assert limits_from(None) == {}
