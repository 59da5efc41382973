"""Each code that files are told by, and what they do when they are tried, on both databases.

One case for each name in HistoryCode; a code that has none fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Column, Integer, MetaData, Table
from tests.runtime.migrate.conftest import Tried, Trying

from tilth.errors import Finding, SetupError
from tilth.runtime.migrate.codes import HistoryCode
from tilth.runtime.migrate.trying.proving import prove

FIRST = (
    "op.create_table('team', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('size', sa.Integer))",
    "op.drop_table('team')",
)
ADD = "op.add_column('team', sa.Column('age', sa.Integer))"
Spoil = Callable[[Tried], None]


def models() -> MetaData:
    metadata = MetaData()
    Table("team", metadata, Column("id", Integer, primary_key=True), Column("size", Integer))
    return metadata


def files(tried: Tried) -> list[Path]:
    return sorted(tried.project.folder.glob("*.py"))


def edited(tried: Tried) -> None:
    files(tried)[0].write_text(files(tried)[0].read_text("utf-8") + "# changed\n", "utf-8")


def missing(tried: Tried) -> None:
    tried.write("pass")
    files(tried)[0].unlink()


def duplicate(tried: Tried) -> None:
    (tried.project.folder / "copy.py").write_text(files(tried)[0].read_text("utf-8"), "utf-8")


def cycle(tried: Tried) -> None:
    tried.write("pass")
    last = tried.history.scripts[-1].revision
    first = files(tried)[0]
    text = first.read_text("utf-8").replace("down_revision = None", f"down_revision = {last!r}")
    first.write_text(text, "utf-8")


def broken_file(tried: Tried) -> None:
    files(tried)[0].write_text("def upgrade(:\n", "utf-8")


def several_heads(tried: Tried) -> None:
    here = tried.history.scripts[0].revision
    other = tried.write("pass", message="mine")
    text = other.read_text("utf-8").replace("revision = '", "revision = 'x", 1)
    (tried.project.folder / "0002_other.py").write_text(text, "utf-8")
    assert here in text


def model_import(tried: Tried) -> None:
    (tried.project.folder.parent / "models.py").touch()
    path = tried.write("pass")
    path.write_text(
        f"{path.read_text('utf-8')}\n\ndef later():\n    from models import Team\n", "utf-8"
    )


def models_differ(tried: Tried) -> None:
    tried.write(ADD, "op.drop_column('team', 'age')")


def no_rows(tried: Tried) -> None:
    never = "sa.Column('id', sa.Integer, sa.CheckConstraint('id <> id'), nullable=False)"
    tried.write(f"op.create_table('none', {never})", "op.drop_table('none')")
    tried.write("pass")


def by_hand(up: str, down: str = "pass") -> Spoil:
    return lambda tried: tried.write(up, down) and None


CASES: dict[HistoryCode, Spoil] = {
    "edited": edited,
    "missing": missing,
    "duplicate": duplicate,
    "cycle": cycle,
    "broken_file": broken_file,
    "several_heads": several_heads,
    "irreversible": by_hand(ADD),
    "model_import": model_import,
    "models_differ": models_differ,
    "fails": by_hand("op.drop_table('nothing')", "op.drop_table('nothing')"),
    "depends_on_rows": by_hand(
        "op.create_check_constraint('ck', 'team', 'size > 99999')",
        "op.drop_constraint('ck', 'team')",
    ),
    "no_rows": no_rows,
    "leaves_traces": by_hand(
        f"{ADD}\nop.create_index('ix', 'team', ['age'])", "op.drop_index('ix', 'team')"
    ),
    "loses_values": by_hand(
        "op.alter_column('team', 'size', new_column_name='n')\nop.execute('UPDATE team SET n = 7')",
        "op.alter_column('team', 'n', new_column_name='size')",
    ),
    "loses_rows": by_hand(ADD, "op.execute('DELETE FROM team')\nop.drop_column('team', 'age')"),
    "not_repeatable": by_hand(
        "names = {each['name'] for each in sa.inspect(op.get_bind()).get_columns('team')}\n"
        "op.add_column('team', sa.Column('b' if 'a' in names else 'a', sa.Integer))",
        "op.execute('SELECT 1')",
    ),
}


@pytest.mark.parametrize("code", get_args(HistoryCode))
def test_a_code_is_told_of_what_was_spoiled_and_of_nothing_before(
    code: HistoryCode, database_url: str, trying: Trying
) -> None:
    tried = trying(database_url, models())
    tried.write(*FIRST)
    sound = codes_told(tried)

    CASES[code](tried)

    assert sound == set()
    assert f"migrate.{code}" in codes_told(tried)


def codes_told(tried: Tried) -> set[str]:
    try:
        found: tuple[Finding, ...] = (*prove(tried.project, tried.history, lambda _: None),)
    except SetupError as error:
        found = error.findings
    return {each.code for each in found}
