"""`FILE[:app]`, `pkg.mod:app` or nothing → where the application is, before anything is imported."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tilth.cli.talk import shown_path
from tilth.errors import CommandError
from tilth.kit.text import sentence_list, suggest

USUAL_FILES = ("app.py", "main.py")
DATABASE_FILES = (".db", ".sqlite", ".sqlite3")

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Target:
    """folder: where its imports start. path: of the file; None when a module was named.

    name: the variable that holds the application; None to look for it.
    """

    module: str
    folder: Path
    path: Path | None = None
    name: str | None = None

    @property
    def shown(self) -> str:
        return shown_path(self.path) if self.path else self.module


def is_database_url(text: str) -> bool:
    return "://" in text


def target_from(text: str) -> Target:
    """Raises CommandError when there is no such file and it cannot be a module."""
    if is_database_url(text):
        raise CommandError("This is a database URL.", "Serve it with: tilth serve DATABASE_URL")
    place, name = _place_and_name(text)
    path = Path(place)
    if path.is_file() and path.suffix == ".py":
        return _target_of_file(path.resolve(), name)
    if _MODULE.fullmatch(place) and not path.exists() and not place.endswith(".py"):
        return Target(place, Path.cwd(), name=name)
    raise _no_such_file(path)


def default_source() -> str:
    """What pyproject.toml names, or the file in the working directory that makes an application."""
    named = _named_in_project(Path("pyproject.toml"))
    if named is not None:
        return named
    for usual in USUAL_FILES:
        if Path(usual).is_file():
            return usual
    files = [path for path in sorted(Path().glob("*.py")) if _makes_application(path)]
    if len(files) == 1:
        return str(files[0])
    if files:
        found = f"Several files make an application: {sentence_list(map(str, files))}."
        raise CommandError(found, f"Say which: tilth dev {files[0]}, --app {files[0]} elsewhere.")
    raise CommandError(
        "There is no application here: none is named, and there is no app.py or main.py.",
        "Name it: tilth dev FILE[:app], --app FILE[:app] with other commands, "
        'or app = "FILE:app" under [tool.tilth] in pyproject.toml.',
    )


def _place_and_name(text: str) -> tuple[str, str | None]:
    place, _, name = text.rpartition(":")
    return (place, name) if place and name.isidentifier() else (text, None)


def _target_of_file(path: Path, name: str | None) -> Target:
    """Inside a package, the module's full name: its relative imports have to work."""
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if any("." in part for part in parts):
        raise CommandError(
            f"{shown_path(path)} cannot be imported: there is a dot in its name.", "Rename it."
        )
    return Target(".".join(parts), folder, path, name)


def _no_such_file(path: Path) -> CommandError:
    if path.is_dir():
        return CommandError(f"{path} is a folder.", "Name the file in it that has the application.")
    if path.is_file():
        is_database = path.suffix in DATABASE_FILES
        hint = f"To serve it as a database: tilth serve sqlite:///{path}" if is_database else None
        return CommandError(f"{path} is not a Python file.", hint)
    close = suggest(path.name, (each.name for each in path.parent.glob("*.py")))
    hint = f"Did you mean {path.with_name(close)}?" if close else None
    return CommandError(f"There is no file {path}.", hint)


def _named_in_project(file: Path) -> str | None:
    return text_in_project(file, "tilth", "app") or text_in_project(file, "fastapi", "entrypoint")


def text_in_project(file: Path, section: str, key: str) -> str | None:
    """What pyproject.toml says under [tool.section]; None when it does not, or is not there."""
    if not file.is_file():
        return None
    try:
        tools = tomllib.loads(file.read_text("utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise CommandError(f"{file} is not valid TOML: {exc}") from exc
    value = tools.get(section, {}).get(key)
    return value if isinstance(value, str) else None


def _makes_application(path: Path) -> bool:
    return "Tilth(" in path.read_text("utf-8", errors="replace")
