"""What a SQLModel field asks of its values → a function that refuses the others."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

Constraint = Callable[[Any], None]

LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minLength", "maxLength", "pattern"}
)


def constraint_from(field: object) -> Constraint | None:
    """None where the model says nothing beyond the type of the column.

    field: as in `model_fields`. Validators written as methods see the whole model, so they are
    asked when it is flushed (store/validation.py).
    """
    if not isinstance(field, FieldInfo):
        return None
    asked = _asked(field)
    if not asked:
        return None
    adapter = TypeAdapter[Any](Annotated[field.annotation, *asked])  # type: ignore[arg-type]

    def constraint(value: Any) -> None:
        try:
            adapter.validate_python(value)
        except ValidationError as exc:
            raise ValueError(sentence_of(exc.errors()[0]["msg"])) from exc

    return constraint


def _asked(field: FieldInfo) -> list[Any]:
    """SQLModel keeps what it knows of the column among them."""
    return [each for each in field.metadata if not type(each).__module__.startswith("sqlmodel.")]


def limits_of(field: object) -> Mapping[str, Any]:
    """The same as keywords of JSON Schema: minimum, maxLength, pattern and their like.

    Empty where the model says nothing, or something that JSON Schema has no word for.
    """
    if not isinstance(field, FieldInfo) or not (asked := _asked(field)):
        return {}
    try:
        schema = TypeAdapter[Any](Annotated[field.annotation, *asked]).json_schema()  # type: ignore[arg-type]
    except PydanticUserError:
        return {}
    # Of the forms a value may have, the first is the plain one: a number, before its text.
    plain = schema.get("anyOf", [schema])[0]
    return {name: value for name, value in plain.items() if name in LIMITS}


def sentence_of(message: str) -> str:
    """pydantic's message as a sentence, without the words it puts before those of a validator."""
    plain = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."
