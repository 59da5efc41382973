"""What the pages about the developer's own code show has the types it seems to have, to mypy and to pyright.

basedpyright is pyright whose run-time comes in a wheel, so that it needs no network.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYRIGHT = Path(sys.executable).with_name("basedpyright")
PAGES = ("docs/reference/query-sets.md", "docs/how-to/test.md")
QUESTIONS = "examples/heroes/queries.py"
BLOCK = re.compile(r"^```python run\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_program_of_a_page_is_typed(page: str, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text(program_of(page), encoding="utf-8")

    assert checked(program, tmp_path) == ""


def test_the_questions_of_the_example_are_typed(tmp_path: Path) -> None:
    assert checked(ROOT / QUESTIONS, tmp_path) == ""


WRONG = """
from tests.scopes.league import Hero
from tilth import Scope, SyncScope


def plain(scope: SyncScope) -> None:
    for hero in scope.objects(Hero):
        reveal_type(hero)
        hero.nothing
    reveal_type(scope.objects(Hero).filter(age=1)[:3])
    reveal_type(scope.objects(Hero).first())
    reveal_type(scope.objects(Hero).count())


async def awaited(scope: Scope) -> None:
    reveal_type(await scope.objects(Hero).order_by("id"))
    reveal_type(await scope.objects(Hero).get(id=1))
"""

REVEALED = [
    "Hero",
    "QuerySet[Hero]",
    "Hero | None",
    "int",
    "list[Hero]",
    "Hero",
]


def test_rows_have_the_type_of_their_model(tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(WRONG, encoding="utf-8")

    said = checked(program, tmp_path)

    revealed = [
        re.sub(r"(\w+\.)+", "", each) for each in re.findall(r'Revealed type is "(.*)"', said)
    ]
    assert revealed == REVEALED
    assert '"Hero" has no attribute "nothing"' in said


@pytest.mark.parametrize("name", [*PAGES, QUESTIONS])
def test_what_is_shown_is_typed_to_pyright_too(name: str, to_pyright: dict[str, list[str]]) -> None:
    assert to_pyright[name] == []


def test_rows_have_the_type_of_their_model_to_pyright_too(
    to_pyright: dict[str, list[str]],
) -> None:
    said = "\n".join(to_pyright["wrong"])

    assert re.findall(r'is "(.*)"', said) == REVEALED
    assert 'Cannot access attribute "nothing" for class "Hero"' in said


def program_of(page: str) -> str:
    return "\n".join(BLOCK.findall((ROOT / page).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def to_pyright(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What it says of each program, in strict mode; all of them in one run."""
    folder = tmp_path_factory.mktemp("pyright")
    programs = {"wrong": WRONG} | {page: program_of(page) for page in PAGES}
    files = {str(folder / f"program_{number}.py"): name for number, name in enumerate(programs)}
    for file, name in files.items():
        Path(file).write_text(programs[name], encoding="utf-8")
    files[str(ROOT / QUESTIONS)] = QUESTIONS
    settings = {
        "include": list(files),
        "extraPaths": [f"{ROOT}/src", str(ROOT)],
        "typeCheckingMode": "strict",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [PYRIGHT, "--outputjson", "--pythonpath", sys.executable, "--project", folder],
        env={"PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said: dict[str, list[str]] = {name: [] for name in files.values()}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        said[files[each["file"]]].append(each["message"])
    return said


def checked(program: Path, folder: Path) -> str:
    """What mypy says of it, as strictly as of Tilth itself; nothing when all is well."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", folder / "cache",
         "--follow-imports", "silent", program],
        cwd=ROOT,
        env={"MYPYPATH": f"{ROOT}/src:{ROOT}", "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    return done.stdout + done.stderr
