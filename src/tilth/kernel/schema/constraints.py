"""What a SQLModel field asks of its values → a function that refuses the others."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

Constraint = Callable[[Any], None]


def constraint_from(field: object) -> Constraint | None:
    """None where the model says nothing beyond the type of the column.

    field: as in `model_fields`. Validators written as methods see the whole model, so they are
    asked when it is flushed (store/validation.py).
    """
    if not isinstance(field, FieldInfo):
        return None
    # SQLModel keeps what it knows of the column among them.
    asked = [each for each in field.metadata if not type(each).__module__.startswith("sqlmodel.")]
    if not asked:
        return None
    adapter = TypeAdapter[Any](Annotated[field.annotation, *asked])  # type: ignore[arg-type]

    def constraint(value: Any) -> None:
        try:
            adapter.validate_python(value)
        except ValidationError as exc:
            raise ValueError(sentence_of(exc.errors()[0]["msg"])) from exc

    return constraint


def sentence_of(message: str) -> str:
    """pydantic's message as a sentence, without the words it puts before those of a validator."""
    plain = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."
