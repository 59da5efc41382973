"""What went wrong between Tilth and a database, apart from how it is told."""

from dataclasses import dataclass
from typing import Literal

from tilth.errors import BadRequest, Conflict, Invalid, Unavailable

Code = Literal[
    "database_unavailable", "database_busy", "query_timeout", "database_schema", "database_rows"
]

_MENDED_BY_PEOPLE = frozenset({"database_schema", "database_rows"})
"""To ask again in a second is no advice."""


@dataclass(frozen=True, slots=True)
class Failure:
    """sentence: complete, and free of addresses, names of users and passwords. hint: what to do.

    told: what a client reads instead, where the sentence names a table or column.
    """

    code: Code
    sentence: str
    hint: str = ""
    told: str = ""


def unavailable(failure: Failure, label: str) -> Unavailable:
    """The 503 of a request. Which database, table and column, and the hint: notes for the log."""
    again = "" if failure.code in _MENDED_BY_PEOPLE else "1"
    error = Unavailable(
        failure.told or failure.sentence, code=failure.code, headers={"Retry-After": again}
    )
    log = " ".join(filter(None, (failure.told and failure.sentence, failure.hint)))
    error.add_note(f"{label}: {log}" if log else label)
    return error


def unfit_value() -> BadRequest:
    return BadRequest(
        "A value in the request does not fit the column it is compared with: "
        "it is too large, too long, or not of the column's type.",
        code="value_out_of_range",
    )


def unfit_body() -> Invalid:
    """The database's own word, for what no check before it has found."""
    return Invalid(
        "A value of the request does not fit its column: it is too large, too long, or not of the "
        "column's type.",
        code="value_out_of_range",
    )


def broken_rule() -> Conflict:
    """Of a trigger, or a constraint that is checked at the commit: which one is not told by field."""
    detail = "What is stored does not allow the change: it breaks a rule of the database."
    return Conflict(detail, code="check")


def too_slow(seconds: float) -> Failure:
    return Failure(
        "query_timeout",
        f"The database did not finish reading within {seconds:g} seconds.",
        "Ask for fewer rows or fields, filter by an indexed field, or raise the statement deadline.",
    )


def no_connection_free(seconds: float) -> Failure:
    return Failure(
        "database_busy",
        f"No database connection became free within {seconds:g} seconds.",
        "Others hold them all: look for slow statements and for transactions that wait for something "
        "else, or allow more connections (TILTH_POOL_SIZE).",
    )


def no_turn(seconds: float) -> Failure:
    return Failure(
        "database_busy",
        f"The database, which has one writer at a time, was not free within {seconds:g} seconds.",
        "A transaction that writes is open elsewhere: do not wait for other things while it is, and "
        "open no second one in the same request.",
    )


UNREADABLE_ROWS = Failure(
    "database_rows",
    "The database cannot compute a value of the rows that were asked for.",
    "A view divides by zero or converts a value that does not fit, for example: "
    "select from it directly to see what.",
)
UNLIKE_MODELS = "The tables of the database do not fit the models."


def missing_table(name: str | None) -> Failure:
    table = f'Table "{name}"' if name else "A table"
    return Failure(
        "database_schema",
        f"{table} does not exist in the database; `tilth create-tables` creates it.",
        told=UNLIKE_MODELS,
    )


def missing_column(name: str | None) -> Failure:
    column = f'Column "{name}"' if name else "A column"
    return Failure(
        "database_schema",
        f"{column} does not exist in the database, although the models name it.",
        "Bring the database and the models to the same version.",
        told=UNLIKE_MODELS,
    )
