"""What is gone, and nobody has said what became of it → a refusal with the command line that says it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from shlex import quote

from tilth.errors import CommandError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.writing.renames import Rename, offers

Offers = Mapping[str, Sequence[Rename]]


def losses(changes: Sequence[Change]) -> list[str]:
    columns = [f"{each.table}.{each.name}" for each in changes if each.kind == "drop column"]
    return [*columns, *(each.name for each in changes if each.kind == "drop table")]


def undecided(
    changes: Sequence[Change], have: Shape, want: Shape, drops: Collection[str], command: str
) -> CommandError:
    """command: what was called, with all that was decided."""
    lost = [each for each in losses(changes) if each not in drops]
    offered = {name: each for name, each in offers(changes, have, want).items() if name in lost}
    lines = [" ".join([command, *_first(lost, offered)]), *_others(lost, offered)]
    return CommandError(
        f"The models no longer have {sentence_list(lost)}, whose values would be lost.",
        "Say what became of it:\n    " + "\n    ".join(lines),
    )


def _first(lost: Sequence[str], offered: Offers) -> Iterator[str]:
    """Each that is gone by the likeliest name that is not taken."""
    taken: set[tuple[str, str]] = set()
    for name in lost:
        free = (each for each in offered[name] if (_home(each), each.new) not in taken)
        chosen = next(free, None)
        if chosen is not None:
            taken.add((_home(chosen), chosen.new))
        yield _drop(name) if chosen is None else _rename(chosen)


def _others(lost: Sequence[str], offered: Offers) -> Iterator[str]:
    """Where there is a choice."""
    for name in lost:
        if offered[name]:
            yield f"{name}: " + "  or  ".join([*map(_rename, offered[name]), _drop(name)])


def _home(rename: Rename) -> str:
    return rename.table if rename.is_column else ""


def _rename(rename: Rename) -> str:
    return f"--rename {quote(rename.flag)}"


def _drop(name: str) -> str:
    return f"--drop {quote(name)}"
