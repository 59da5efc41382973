"""Where an application is, told from the command line or the working directory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path

import pytest

from tilth.cli.target import Target, default_source, target_from
from tilth.errors import CommandError

Write = Callable[[Path, Mapping[str, str]], Path]
MAKES = 'app = Tilth("sqlite:///x.db")\n'


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that is the working directory."""
    with chdir(tmp_path):
        yield tmp_path.resolve()


def test_file_and_name_are_told_apart(here: Path, write: Write) -> None:
    write(here, {"shop.py": "", "package/__init__.py": "", "package/deep/web.py": ""})
    write(here, {"package/deep/__init__.py": ""})

    found = [
        target_from(text)
        for text in ("shop.py", "shop.py:api", "package/deep/web.py:app", "package.deep.web:app")
    ]

    assert found == [
        Target("shop", here, here / "shop.py"),
        Target("shop", here, here / "shop.py", "api"),
        Target("package.deep.web", here, here / "package" / "deep" / "web.py", "app"),
        Target("package.deep.web", here, name="app"),
    ]


REFUSED = [
    ("shpo.py", "There is no file shpo.py.", "Did you mean shop.py?"),
    ("folder", "folder is a folder.", "Name the file in it that has the application."),
    (
        "notes.sqlite",
        "notes.sqlite is not a Python file.",
        "To serve it as a database: tilth serve sqlite:///notes.sqlite",
    ),
    (
        "v1.2.py",
        "v1.2.py cannot be imported: there is a dot in its name.",
        "Rename it.",
    ),
    (
        "sqlite:///notes.sqlite",
        "This is a database URL.",
        "Serve it with: tilth serve DATABASE_URL",
    ),
]


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_imported_is_refused(
    text: str, message: str, hint: str, here: Path, write: Write
) -> None:
    write(here, {"shop.py": "", "folder/x.txt": "", "notes.sqlite": "", "v1.2.py": ""})

    with pytest.raises(CommandError) as caught:
        target_from(text)

    assert (caught.value.message, caught.value.hint) == (message, hint)


DEFAULTS = [
    ({"pyproject.toml": '[tool.tilth]\napp = "x:y"\n', "app.py": MAKES}, "x:y"),
    ({"pyproject.toml": '[tool.fastapi]\nentrypoint = "m:app"\n'}, "m:app"),
    ({"pyproject.toml": '[project]\nname = "x"\n', "app.py": ""}, "app.py"),
    ({"main.py": "", "shop.py": MAKES}, "main.py"),
    ({"shop.py": MAKES, "models.py": ""}, "shop.py"),
]


@pytest.mark.parametrize(("files", "found"), DEFAULTS, ids=[row[1] for row in DEFAULTS])
def test_application_is_found_where_it_usually_is(
    files: Mapping[str, str], found: str, here: Path, write: Write
) -> None:
    write(here, files)

    assert default_source() == found


NO_DEFAULT = [
    ({}, "There is no application here: none is named, and there is no app.py or main.py."),
    ({"a.py": MAKES, "b.py": MAKES}, "Several files make an application: a.py and b.py."),
    ({"pyproject.toml": "[tool"}, "pyproject.toml is not valid TOML: "),
]


@pytest.mark.parametrize(("files", "message"), NO_DEFAULT)
def test_no_application_is_guessed(
    files: Mapping[str, str], message: str, here: Path, write: Write
) -> None:
    write(here, files)

    with pytest.raises(CommandError) as caught:
        default_source()

    assert caught.value.message.startswith(message)
