"""Accounts from the command line."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import COMMAND, clean_environment

Run = Callable[..., Any]

APP = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Auth, Policy, Tilth, signed_in


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)


app = Tilth(auth=Auth())
app.role("editor", "notes.publish")
app.expose(Note, Policy(read=signed_in))
"""

PASSWORD = "quiet otters by the lake"
SAFE = {
    "TILTH_ENVIRONMENT": "development",
    "TILTH_SECRET_KEY": "0123456789abcdef-ghijklmnopqrstuvwxyz",
}


@pytest.fixture
def user(run: Run, tmp_path: Path, database_url: str) -> Run:
    """user(*arguments, password=None): runs `tilth user …` over a database with the tables."""
    (tmp_path / "app.py").write_text(APP, "utf-8")
    environment = {**SAFE, "TILTH_DATABASE": database_url}
    assert run("create-tables", cwd=tmp_path, **environment).code == 0

    def user(*arguments: str, password: str | None = None) -> Any:
        if password is None:
            return run("user", *arguments, cwd=tmp_path, **environment)
        return subprocess.run(
            [*COMMAND, "user", *arguments],
            cwd=tmp_path,
            env=clean_environment(environment),
            input=f"{password}\n",
            capture_output=True,
            text=True,
            check=False,
        )

    return user


def test_an_account_is_made_empowered_and_disabled(user: Run) -> None:
    made = user("create", "Ann", "--role", "superuser", "--password-stdin", password=PASSWORD)
    empowered = user("role", "ann", "--add", "editor", "--remove", "superuser", "--json")
    disabled = user("disable", "ANN")
    listed = user("list", "--json").document["accounts"]
    enabled = user("enable", "ann")

    assert made.returncode == 0, made.stderr
    assert PASSWORD not in made.stdout + made.stderr
    assert empowered.document["roles"] == ["editor"]
    assert (disabled.code, enabled.code) == (0, 0)
    assert [(each["username"], each["is_disabled"]) for each in listed] == [("Ann", True)]
    assert user("list", "--json").document["accounts"][0]["is_disabled"] is False
    assert user("sessions", "ann", "--revoke").code == 0


@pytest.mark.parametrize(
    ("arguments", "password", "told"),
    [
        (("create", "ann", "--password-stdin"), "short", "15 characters"),
        (("create", "ann", "--role", "edtor", "--password-stdin"), PASSWORD, "Did you mean editor"),
        (("create", "a b", "--password-stdin"), PASSWORD, "username"),
        (("role", "nobody", "--add", "editor"), "", "There is no account nobody"),
        (("role", "nobody"), "", "nothing to change"),
        (("create", "ann"), "", "nobody to ask"),
    ],
    ids=["short", "no role", "no name", "no account", "nothing", "no terminal"],
)
def test_what_cannot_be_is_told(
    user: Run, arguments: tuple[str, ...], password: str, told: str
) -> None:
    ended = user(*arguments, password=password)

    assert ended.returncode != 0
    assert told in ended.stderr
    assert user("list", "--json").document == {"accounts": []}


def test_a_link_is_printed_alone_and_an_invitation_is_sent(user: Run) -> None:
    printed = user("create", "--link", "--role", "superuser")
    told = user("create", "--link", "--json")
    sent = user("create", "ann@example.org", "--mail", "--role", "editor")

    assert re.fullmatch(r"http://127\.0\.0\.1:8000/sign-up/invited\?token=[\w-]{43}\n", printed.out)
    assert "30 minutes" in printed.err
    assert sorted(told.document) == ["link", "minutes"]
    assert sent.out == ""
    assert "Mail to ann@example.org: You are invited" in sent.err
    assert user("list", "--json").document == {"accounts": []}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Whose account?"),
        (("ann", "--mail"), "without an address"),
        (("ann", "--link"), "chooses a name"),
        (("ann@example.org", "--mail", "--link"), "either printed or sent"),
        (("--link", "--email", "ann@example.org"), "says that themselves"),
        (("--link", "--role", "edtor"), "Did you mean editor"),
        (("ann@nowhere", "--mail"), "such as example.org"),
    ],
)
def test_links_that_cannot_be_made_are_told(
    user: Run, arguments: tuple[str, ...], told: str
) -> None:
    ended = user("create", *arguments)

    assert ended.code != 0
    assert re.search(told, ended.err), ended.err


def test_no_mail_server_is_told_without_the_link(user: Run, tmp_path: Path, run: Run) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        where = {
            "TILTH_MAIL_URL": f"smtp://127.0.0.1:{nobody.getsockname()[1]}",
            "TILTH_MAIL_FROM": "notes@notes.example",
            "TILTH_DATABASE": f"sqlite:///{tmp_path / 'other.db'}",
        }
        run("create-tables", cwd=tmp_path, **SAFE, **where)
        ended = run("user", "create", "a@b.example", "--mail", cwd=tmp_path, **SAFE, **where)

    assert ended.code == 1
    assert "ConnectionRefusedError" in ended.err
    assert "token=" not in ended.out + ended.err


def test_a_file_of_accounts_is_imported_whole_or_not_at_all(user: Run, tmp_path: Path) -> None:
    digest = hashlib.md5(PASSWORD.encode()).hexdigest()
    (tmp_path / "good.csv").write_text(f"username,hash\nann,{digest}\nbob,\n", "utf-8-sig")
    (tmp_path / "bad.jsonl").write_text('{"username": "eve"}\n{"username": "a b"}\n', "utf-8")
    (tmp_path / "latin.csv").write_bytes("username\nJosé\n".encode("latin-1"))

    good = user("import", "good.csv")
    bad = user("import", "bad.jsonl", "--json")
    others = [user("import", name) for name in ("latin.csv", "gone.csv", "good.txt", "good.csv")]

    assert (good.code, good.err) == (0, "2 accounts imported.\n")
    assert bad.code == 1
    assert [each["line"] for each in bad.document["refused"]] == [2]
    assert "Nothing was imported: 1 mistake." in bad.err
    assert [each.code for each in others] == [1, 1, 2, 1]
    assert "Line 2: there is an account with its username already." in others[-1].err
    names = [each["username"] for each in user("list", "--json").document["accounts"]]
    assert names == ["ann", "bob"]


def test_an_application_without_accounts_says_so(run: Run, heroes_folder: Path) -> None:
    ended = run("user", "list", cwd=heroes_folder)

    assert ended.code == 1
    assert "Tilth(auth=Auth())" in ended.err


def test_the_doctor_tells_what_production_would_refuse(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("app.expose(Note, Policy(read=signed_in))", ""))
    development = {"TILTH_ENVIRONMENT": "development"}
    production = {
        "TILTH_SECRET_KEY": SAFE["TILTH_SECRET_KEY"],
        "TILTH_PUBLIC_URL": "https://notes.example",
        "TILTH_MAIL_URL": "smtp://mail.example",
        "TILTH_MAIL_FROM": "notes@notes.example",
    }

    ill = run("doctor", "--auth", "--json", cwd=tmp_path, **development)
    well = run("doctor", cwd=tmp_path, **production)
    served = run("serve", cwd=tmp_path)

    codes = [each["code"] for each in ill.document["findings"]]
    assert (ill.code, codes) == (1, ["auth.secret_key", "auth.public_url", "auth.mail"])
    assert (well.code, served.code) == (0, 1)
    assert "TILTH_SECRET_KEY" in served.err


@pytest.mark.parametrize("form", ["name", "address", "id"])
def test_policy_is_explained_to_an_account_by_any_of_its_names(
    user: Run, run: Run, tmp_path: Path, database_url: str, form: str
) -> None:
    made = user(
        "create", "mia", "--email", "mia@x.example", "--password-stdin", "--json", password=PASSWORD
    )
    id_ = json.loads(made.stdout)["id"]
    who = {"name": "mia", "address": "mia@x.example", "id": id_}[form]

    ended = run(
        *("policy", "explain", who, "read", "notes/1"),
        cwd=tmp_path,
        **SAFE,
        TILTH_DATABASE=database_url,
    )

    assert (ended.code, f"is the account mia, id {id_}" in ended.err) == (0, True), ended.err
