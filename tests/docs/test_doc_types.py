"""What the pages about the developer's own code show has the types it seems to have.

mypy only: pyright brings no Python of its own, it downloads a JavaScript run-time.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python run\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["docs/reference/query-sets.md", "docs/how-to/test.md"])
def test_the_program_of_a_page_is_typed(page: str, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    text = (ROOT / page).read_text(encoding="utf-8")
    program.write_text("\n".join(BLOCK.findall(text)), encoding="utf-8")

    assert checked(program, tmp_path) == ""


def test_the_questions_of_the_example_are_typed(tmp_path: Path) -> None:
    assert checked(ROOT / "examples/heroes/queries.py", tmp_path) == ""


WRONG = """
from tests.scopes.league import Hero
from tilth import Scope, SyncScope


def plain(scope: SyncScope) -> None:
    for hero in scope.objects(Hero):
        reveal_type(hero)
    reveal_type(scope.objects(Hero).filter(age=1)[:3])
    reveal_type(scope.objects(Hero).first())
    reveal_type(scope.objects(Hero).count())
    hero.nothing


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
