"""show, check, policy explain and openapi tell what there is, to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

Run = Callable[..., Any]

MISTAKEN = """\
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from tilth import Policy, Tilth, public


class Invented(UserDefinedType):
    cache_ok = True


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Power(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Odd(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    place: str = Field(sa_type=Invented)


app = Tilth("sqlite:///x.db")
app.expose(Hero)
app.expose(Team, Policy(read=public, hidden=("nmae",)))
app.expose(Power, Policy(read=public, fields={"nam": public}), search=["title"])
app.expose(Odd, Policy(read=public, hidden=("place", "nmae")))
app.expose(Invented)
"""


@pytest.fixture(scope="module")
def folder(heroes_folder: Path) -> Path:
    """With a database that holds a child that bob owns, and a grown-up."""
    engine = create_engine(f"sqlite:///{heroes_folder / 'heroes.db'}")
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
            "CREATE TABLE secret (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
            "CREATE TABLE hero (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER,"
            " email TEXT, owner_id TEXT, team_id INTEGER)",
            "INSERT INTO hero (id, name, age, owner_id) VALUES (1, 'A', 9, 'bob'), (2, 'B', 30, '')",
        ):
            connection.execute(text(statement))
    engine.dispose()
    return heroes_folder


@dataclass(frozen=True, slots=True)
class Case:
    """printed: parts of stdout. said: parts of stderr."""

    arguments: str
    code: int = 0
    printed: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


CASES = [
    Case(
        "show",
        printed=("heroes", "Hero", "team → teams", "/api/teams/{key}/heroes", "role('admin')"),
        said=("3 resources in sqlite:///", "heroes.db."),
    ),
    Case(
        "show HERO",
        printed=(
            "heroes (Hero)  app.py:12",
            "hero.age >= 18 OR hero.owner_id = me.id OR role('admin')",
            "field email",
            "preset owner_id",
            "iendswith",
            "FROM hero",
        ),
    ),
    Case("show secrets", printed=("None is run: anonymous may read no row.",)),
    Case("show heros", 1, said=("There is no resource heros.", "Did you mean heroes?")),
    Case("show zzz", 1, said=("Resources: teams, heroes and secrets.",)),
    Case(
        "policy explain bob read heroes/1",
        printed=(
            "allowed: bob read heroes/1",
            "because hero.owner_id = me.id",
            "readable email: hero.owner_id = me.id",
            "FROM hero",
        ),
    ),
    Case(
        "policy explain tom read heroes/2",
        printed=("allowed: tom read heroes/2", "null     email: hero.owner_id = me.id"),
    ),
    Case(
        "policy explain anonymous read Hero/1",
        printed=(
            "denied: anonymous read heroes/1",
            "because hero.age >= 18 is not so",
            "unknown    hero.owner_id = me.id",
            "false      role('admin')",
        ),
    ),
    Case(
        "policy explain id=x,roles=admin+editor read /api/heroes/9",
        printed=("absent: id=x,roles=admin+editor read heroes/9", "there is no such row"),
    ),
    Case(
        "policy explain x read heroes/abc", 1, said=("abc is not a key of heroes", "id (integer)")
    ),
    Case("policy explain x read heroes/1,2", 1, said=("1,2 is not a key of heroes",)),
    Case("policy explain x read heroes", 2, said=("heroes names no row.",)),
    Case("policy explain role=a read heroes/1", 2, said=("Did you mean roles?",)),
    Case("policy explain x create heroes/1", 2, said=("a row that is not there yet",)),
    Case(
        "policy explain id=x,roles=admin update teams/1",
        printed=("absent: id=x,roles=admin update teams/1",),
    ),
    Case("policy explain bob delete heroes/1", printed=("denied: bob delete heroes/1",)),
    Case("policy explain x write heroes/1", 2, said=("only read, update and delete",)),
    Case("check app.py", said=("No mistakes found.",)),
    Case("show app.py", 1, said=("app.py is a file, not a resource.", "tilth show --app app.py")),
    Case("check", said=("No mistakes found.",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.arguments)
def test_inspection(case: Case, folder: Path, run: Run) -> None:
    ended = run(*case.arguments.split(), cwd=folder)

    assert ended.code == case.code
    assert [part for part in case.printed if part not in ended.out] == []
    assert [part for part in case.said if part not in ended.err] == []


def test_show_is_one_document_for_programs(folder: Path, run: Run) -> None:
    hero = run("show", "hero", "--json", cwd=folder).document["resource"]

    names = [field["name"] for field in hero["fields"]]
    assert names == ["id", "name", "age", "email", "owner_id", "team_id"]
    assert hero["relations"] == [
        {"name": "team", "target": "teams", "many": False, "description": None}
    ]
    assert [route["path"] for route in hero["routes"]] == ["/api/heroes", "/api/heroes/{key}"]
    assert hero["policy"]["create"] is None
    assert hero["policy"]["preset"] == {"owner_id": "me.id"}
    assert hero["sql"].startswith("SELECT ")


def test_explanation_is_one_document_for_programs(folder: Path, run: Run) -> None:
    document = run("policy", "explain", "bob", "read", "heroes/1", "--json", cwd=folder).document

    assert document["decision"] == "allowed"
    assert document["because"] == ["hero.owner_id = me.id"]
    assert document["parts"] == [
        {"depth": 0, "wording": "any of", "verdict": True},
        {"depth": 1, "wording": "hero.age >= 18", "verdict": False},
        {"depth": 1, "wording": "hero.owner_id = me.id", "verdict": True},
        {"depth": 1, "wording": "role('admin')", "verdict": False},
    ]


def test_every_mistake_is_told_at_once(
    tmp_path: Path, run: Run, write: Callable[[Path, Mapping[str, str]], Path]
) -> None:
    write(tmp_path, {"app.py": MISTAKEN})

    ended = run("check", cwd=tmp_path)

    assert ended.code == 1
    assert sorted(line for line in ended.out.splitlines() if line.startswith("error")) == [
        "error[policy.missing]: Hero: is exposed without a policy, and what is not allowed is "
        "denied.",
        "error[policy.missing]: Invented: is exposed without a policy, and what is not allowed is "
        "denied.",
        "error[policy.unknown_field]: Odd.nmae: is named in hidden= but is not a field of Odd.",
        "error[policy.unknown_field]: Power.nam: is named in fields= but is not a field of Power.",
        "error[policy.unknown_field]: Team.nmae: is named in hidden= but is not a field of Team.",
        "error[schema.not_mapped]: Invented: it is not a mapped class.",
        "error[schema.unknown_search_field]: Power.title: search names a field that does not exist.",
        "error[schema.unknown_type]: Odd.place: the type Invented is not known.",
    ]
    assert ended.out.count("--> app.py:35\n") == 2
    assert "  --> app.py:33\n  help: Say who may: expose(Hero, Policy(read=public))." in ended.out
    assert ended.err == "8 errors, 0 warnings.\n"


def test_mistakes_are_one_document_for_programs(
    tmp_path: Path, run: Run, write: Callable[[Path, Mapping[str, str]], Path]
) -> None:
    write(tmp_path, {"app.py": MISTAKEN})

    ended = run("check", "--json", cwd=tmp_path)

    assert ended.code == 1
    assert {
        "code": "policy.unknown_field",
        "subject": "Team.nmae",
        "reason": "is named in hidden= but is not a field of Team.",
        "remedy": "Did you mean 'name'?",
        "level": "error",
        "where": "app.py:34",
    } in ended.document["findings"]


def test_misspelt_setting_is_a_mistake(folder: Path, run: Run) -> None:
    ended = run("check", cwd=folder, TILTH_DATABSE="sqlite:///x.db")

    assert ended.code == 1
    assert "TILTH_DATABSE" in ended.out
    assert "Did you mean TILTH_DATABASE?" in ended.out


def test_document_holds_what_the_actor_may_read(folder: Path, run: Run) -> None:
    public = run("openapi", cwd=folder).document
    admin = run("openapi", "--actor", "id=1,roles=admin", cwd=folder).document

    assert "/api/secrets" not in public["paths"]
    assert "/api/secrets" in admin["paths"]


def test_document_is_written_to_a_file(folder: Path, run: Run) -> None:
    ended = run("openapi", "--output", "openapi.json", "--json", cwd=folder)

    assert ended.document == {"written": "openapi.json"}
    assert json.loads((folder / "openapi.json").read_text())["openapi"].startswith("3.1")


def test_database_that_is_down_is_one_sentence(folder: Path, run: Run) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/shop"

    ended = run("policy", "explain", "x", "read", "heroes/1", cwd=folder, TILTH_DATABASE=url)

    assert ended.code == 1
    assert ended.out == ""
    assert "The database server cannot be reached" in ended.err
    assert "secret" not in ended.err


def test_adopted_database_is_shown(folder: Path, run: Run) -> None:
    ended = run("show", "hero", "--app", "sqlite:///heroes.db", "--json", cwd=folder)

    assert ended.document["resource"]["name"] == "heroes"
    assert ended.document["resource"]["policy"]["read"] == "public"


def test_model_file_of_a_database_is_python(folder: Path, run: Run) -> None:
    ended = run("models", "sqlite:///heroes.db", cwd=folder)

    assert ended.code == 0
    compile(ended.out, "models.py", "exec")
    assert "class Hero(Base):" in ended.out


def test_model_file_of_no_database_is_one_sentence(folder: Path, run: Run) -> None:
    ended = run("models", "sqlite:///none.db", cwd=folder)

    assert ended.code == 1
    assert "sqlite:///none.db: The database file does not exist." in ended.err


def test_model_file_of_a_path_is_told_its_url(folder: Path, run: Run) -> None:
    ended = run("models", "heroes.db", cwd=folder)

    assert ended.code == 1
    assert "heroes.db is not a database URL.\n  help: Write sqlite:///heroes.db" in ended.err


def test_what_the_file_prints_is_not_in_the_document(
    tmp_path: Path, write: Callable[..., Path], run: Run
) -> None:
    write(tmp_path, {"app.py": 'from tilth import Tilth\n\nprint("hello")\napp = Tilth()\n'})

    ended = run("check", "--json", cwd=tmp_path)

    assert ended.document == {"findings": []}
    assert "hello" in ended.err
