"""What one object is between the database and Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tilth.kernel.store.sync import sync_engine

Run = Callable[..., Any]

APP = """\
from datetime import date
from decimal import Decimal

from sqlalchemy import Numeric
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    number: Mapped[int] = mapped_column("hero_id", primary_key=True)
    name: Mapped[str]
    born: Mapped[date | None]
    worth: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    email: Mapped[str]
    password_hash: Mapped[str]
    api_key: Mapped[str] = mapped_column("handle")
    tokens_won: Mapped[int] = mapped_column(info={"secret": False})
    nickname: Mapped[str] = mapped_column(info={"secret": True})
    photo: Mapped[bytes | None]


app = Tilth()
app.expose(Hero, Policy(read=public, hidden=("photo",), fields={"email": public}))
"""

SECRETS = ("ves@example.org", "$argon2id$", "key-0123", "The Quiet One", "photograph")

ROW = """INSERT INTO hero (hero_id, name, born, worth, email, password_hash, handle, tokens_won,
    nickname, photo)
VALUES (7, 'Vésper', NULL, 12.5, 'ves@example.org', '$argon2id$', 'key-0123', 3, 'The Quiet One', {})"""


@pytest.fixture
def hero(run: Run, tmp_path: Path, database_url: str) -> Run:
    """Runs the command over a database with one hero, 7."""
    (tmp_path / "app.py").write_text(APP, "utf-8")
    assert run("create-tables", cwd=tmp_path, TILTH_DATABASE=database_url).code == 0
    blob = "CAST('photograph' AS BLOB)" if "sqlite" in database_url else "'photograph'::bytea"
    engine = sync_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(ROW.format(blob))
    engine.dispose()

    def wire(*arguments: str, **environment: str) -> Any:
        return run("wire", *arguments, cwd=tmp_path, TILTH_DATABASE=database_url, **environment)

    return wire


def test_each_column_is_told_with_its_attribute(hero: Run) -> None:
    document = hero("Hero", "7", "--json").document

    told = {each["name"]: (each["attribute"], each["value"]) for each in document["columns"]}
    assert told["hero_id"] == ("number", "7")
    assert told["name"] == ("name", "'Vésper'")
    assert told["born"] == ("born", "None")
    assert told["worth"] == ("worth", "Decimal('12.50')")
    assert told["tokens_won"] == ("tokens_won", "3")
    assert told["handle"] == ("api_key", "(redacted)")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_secret_and_masked_values_are_nowhere_in_it(hero: Run, form: tuple[str, ...]) -> None:
    ended = hero("heroes", "7", *form)

    assert ended.code == 0
    seen = ended.out + ended.err
    found = [each for each in SECRETS if each in seen or each.encode().hex() in seen]
    spaced = [each for each in SECRETS if each.encode().hex(" ") in seen]
    assert (found, spaced) == ([], [])


# SQLite has no wire.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_tells_every_message_of_the_statement(hero: Run) -> None:
    messages = hero("Hero", "7", "--json").document["messages"]

    assert [(each["sender"], each["name"]) for each in messages] == [
        *(("client", name) for name in ("Parse", "Bind", "Describe", "Execute", "Sync")),
        *(("server", name) for name in ("ParseComplete", "BindComplete", "RowDescription")),
        *(("server", name) for name in ("DataRow", "CommandComplete", "ReadyForQuery")),
    ]
    row = next(each for each in messages if each["name"] == "DataRow")
    name = next(part for part in row["parts"] if part["value"] == "Vésper")
    raw = bytes.fromhex(row["bytes"])
    assert raw[name["start"] : name["stop"]].decode() == "Vésper"
    assert int.from_bytes(raw[1:5], "big") == len(raw) - 1


# PostgreSQL shows its messages instead.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_tells_sql_plan_and_storage(hero: Run) -> None:
    document = hero("Hero", "7", "--json").document

    assert "hero.hero_id = 7" in document["sql"]
    assert [each["step"] for each in document["plan"]] == [
        "SEARCH hero USING INTEGER PRIMARY KEY (rowid=?)"
    ]
    kinds = {each["name"]: each["type"] for each in document["columns"]}
    assert kinds["name"] == "text, 7 bytes"
    assert (kinds["hero_id"], kinds["born"]) == ("integer", "null")


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("Hero", "8"), {}, "There is no heroes/8."),
        (("Hero", "seven"), {}, "seven is not a key of heroes"),
        (("Heros", "7"), {}, "Did you mean"),
        (("Hero", "7"), {"TILTH_ENVIRONMENT": "production"}, "not for production"),
    ],
    ids=["no row", "no key", "no resource", "production"],
)
def test_what_cannot_be_shown_is_refused(
    hero: Run, arguments: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    ended = hero(*arguments, **environment)

    assert (ended.code, ended.out) == (1, "")
    assert told in ended.err


def test_a_server_that_cannot_be_reached_is_named_without_its_password(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP, "utf-8")
    url = "postgresql://me:hush@127.0.0.1:1/shop"

    ended = run("wire", "Hero", "7", cwd=tmp_path, TILTH_DATABASE=url)

    assert ended.code == 1
    assert "127.0.0.1" in ended.err
    assert "hush" not in ended.err + ended.out


def test_mariadb_is_refused_before_anything_is_asked(run: Run, tmp_path: Path) -> None:
    """There is no server behind the URL, and none is needed."""
    (tmp_path / "app.py").write_text(APP, "utf-8")

    ended = run("wire", "Hero", "7", cwd=tmp_path, TILTH_DATABASE="mariadb://me@127.0.0.1:1/shop")

    assert ended.code == 1
    assert "not supported on MariaDB" in ended.err
