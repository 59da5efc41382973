"""What a SQLModel field asks of its values → a function that refuses the others."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

Constraint = Callable[[Any], None]

LIMITS = (
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern"),
)


def constraint_from(field: object) -> Constraint | None:
    """None where the model says nothing beyond the type of the column.

    field: as in `model_fields`. Validators written as methods see the whole model, so they are
    asked when it is flushed (store/validation.py).
    """
    adapter = _adapter(field)
    if adapter is None:
        return None

    def constraint(value: Any) -> None:
        try:
            adapter.validate_python(value)
        except ValidationError as exc:
            raise ValueError(sentence_of(exc.errors()[0]["msg"])) from exc

    return constraint


def limits_from(field: object) -> Mapping[str, Any]:
    """The same as JSON Schema keywords, as far as it has any: minimum, pattern and their like."""
    adapter = _adapter(field)
    try:
        schema = adapter.json_schema() if adapter is not None else {}
    except PydanticUserError:
        # A type that is no JSON to pydantic; what Tilth takes for it is said by its kind.
        schema = {}
    # Of the forms a value may have, the first is the plain one: a number, before its text.
    plain = schema.get("anyOf", [schema])[0]
    return {name: plain[name] for name in LIMITS if name in plain}


def refuses_null(field: object) -> bool:
    """Whether None is no value of the type that the model says."""
    if not isinstance(field, FieldInfo) or field.annotation is None:
        return False
    try:
        TypeAdapter(field.annotation).validate_python(None)
    except ValidationError:
        return True
    except PydanticUserError:
        # Of no type that pydantic knows: what the model says of it is asked at the flush.
        return False
    return False


def _adapter(field: object) -> TypeAdapter[Any] | None:
    """None where nothing is asked."""
    if not isinstance(field, FieldInfo):
        return None
    # SQLModel keeps what it knows of the column among them.
    asked = [each for each in field.metadata if not type(each).__module__.startswith("sqlmodel.")]
    if not asked:
        return None
    return TypeAdapter(Annotated[field.annotation, *asked])  # type: ignore[arg-type]


def sentence_of(message: str) -> str:
    """pydantic's message as a sentence, without the words it puts before those of a validator."""
    plain = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."
