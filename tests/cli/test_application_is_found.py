"""`FILE[:app]` leads to an application, or to a sentence on why it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NEW = 'from tilth import Tilth\n\n{name} = Tilth("sqlite:///x.db")\n'

FILES = {
    "one.py": NEW.format(name="backend"),
    "several.py": NEW.format(name="a") + 'b = Tilth("sqlite:///x.db")\n',
    "usual.py": NEW.format(name="other") + 'api = Tilth("sqlite:///x.db")\n',
    "plain.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
    "nothing.py": "x = 1\n",
    "syntax.py": "def broken(:\n    pass\n",
    "absent.py": "import not_installed_anywhere\n",
    "sibling.py": "from failing import x\n",
    "failing.py": "def divide():\n    return 1 / 0\n\n\nx = divide()\n",
    "tight.py": "from sqlalchemy import column\nrule = column('a') >= 18 | column('b')\n",
    "half.py": "from sqlalchemy import column\n\nrule = column('a') >= 1 and column('b') >= 2\n",
    "leaves.py": "raise SystemExit(3)\n",
    "json.py": NEW.format(name="app"),
    "shop/__init__.py": "",
    "shop/names.py": 'TITLE = "Shop"\n',
    "shop/web.py": "from .names import TITLE\n" + NEW.format(name="app"),
    "notes.sqlite": "",
}


@dataclass(frozen=True, slots=True)
class Case:
    """said: parts of what is said on stderr."""

    app: str
    code: int
    said: tuple[str, ...]


CASES = [
    Case("one.py", 0, ("No mistakes",)),
    Case("one.py:backend", 0, ("No mistakes",)),
    Case("usual.py", 0, ("No mistakes",)),
    Case("shop/web.py", 0, ("No mistakes",)),
    Case("shop.web:app", 0, ("No mistakes",)),
    Case("one.py:bakend", 1, ("one.py has nothing called bakend.", "Did you mean backend?")),
    Case("several.py", 1, ("several.py has several applications: a and b.", "several.py:a")),
    Case("plain.py", 1, ("app is a FastAPI application", 'Write app = Tilth("sqlite:///app.db")')),
    Case("nothing.py", 1, ("nothing.py has no application.",)),
    Case("nothing.py:x", 1, ("x is a int, not an application.",)),
    Case("models.py", 1, ("models and no application", "tilth dev models.py")),
    Case("syntax.py", 1, ("syntax.py:1: SyntaxError: invalid syntax", "def broken(:")),
    Case("absent.py", 1, ("absent.py:1: ModuleNotFoundError", "Install not_installed_anywhere")),
    Case("sibling.py", 1, ("failing.py:2: ZeroDivisionError: division by zero", "return 1 / 0")),
    Case("half.py", 1, ("half.py:3: TypeError: Boolean value", "Combine rules by & | ~ instead")),
    Case("tight.py", 1, ("tight.py:2: TypeError: unsupported operand", "(Hero.age >= 18) |")),
    Case("leaves.py", 1, ("leaves.py:1: it ends the program", "__main__")),
    Case("json.py", 1, ("json.py cannot be imported: it has the name of another module",)),
    Case("shop.wbe", 1, ("There is no file or module shop.wbe.",)),
]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, heroes_folder: Path, write: Callable[..., Path]
) -> Path:
    models = (heroes_folder / "models.py").read_text()
    return write(tmp_path_factory.mktemp("projects"), FILES | {"models.py": models})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.app)
def test_what_is_named_is_found_or_explained(
    case: Case, folder: Path, run: Callable[..., Any]
) -> None:
    ended = run("check", "--app", case.app, cwd=folder)

    assert ended.code == case.code
    assert [part for part in case.said if part not in ended.err] == []
    assert "Traceback" not in ended.err


def test_traceback_is_shown_when_asked_for(folder: Path, run: Callable[..., Any]) -> None:
    ended = run("check", "--app", "sibling.py", "--traceback", cwd=folder)

    assert ended.code == 1
    assert "Traceback (most recent call last):" in ended.err


def test_failure_is_a_document_when_asked_for(folder: Path, run: Callable[..., Any]) -> None:
    ended = run("check", "--app", "nothing.py", "--json", cwd=folder)

    assert ended.code == 1
    assert ended.document == {
        "error": {
            "message": "nothing.py has no application.",
            "hint": 'Add one: app = Tilth("sqlite:///app.db")',
        }
    }
