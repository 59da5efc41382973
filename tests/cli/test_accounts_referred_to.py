"""Models whose rows belong to accounts, by either way to write the foreign key: migrated, checked and moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

APP = """\
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Auth, Policy, Tilth, signed_in
from tilth.features.auth.models.user import User


class Base(DeclarativeBase):
    pass


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey({key}))


app = Tilth(auth=Auth())
app.expose(Loan, Policy(read=signed_in))
"""
SHOWN = """

class Member(Base):
    __table__ = User.__table__
    __mapper_args__ = {"include_properties": ["id", "username"]}


app.expose(Member, Policy(read=signed_in))
"""
APPS = {
    "by its name": APP.replace("{key}", '"tilth_user.id"'),
    "by its column": APP.replace("{key}", "User.id"),
    # A class over the columns that may be seen, as docs/how-to/members.md has it.
    "shown": APP.replace("{key}", "User.id") + SHOWN,
}


@pytest.fixture(params=APPS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APPS[request.param])
    return tmp_path


def test_migrations_make_it_and_find_nothing_more_to_do(
    run: Run, folder: Path, database_url: str
) -> None:
    here = {"cwd": folder, "TILTH_DATABASE": database_url}

    steps = [
        run("migrate", *arguments, **here)
        for arguments in (("new", "-m", "loans"), ("up",), ("check",))
    ]

    assert [each.code for each in steps] == [0, 0, 0], [each.err for each in steps]


def test_rows_move(run: Run, folder: Path, database_url: str, tmp_path: Path) -> None:
    """From SQLite, with an account, to an empty database of either kind."""
    source = f"sqlite:///{tmp_path / 'source.db'}"
    here = {"cwd": folder, "TILTH_DATABASE": source, "TILTH_ENVIRONMENT": "development"}
    assert run("create-tables", **here).code == 0

    moved = run("db", "move", source, database_url, "--app", "app.py", "--json", cwd=folder)

    assert moved.code == 0, moved.err
    assert {"loan", "tilth_user"} <= moved.document["rows"].keys()
