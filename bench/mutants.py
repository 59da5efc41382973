"""Take security checks out one by one, and see whether a test fails.

    python bench/mutants.py [--every 1] [--only secrets]

A check is an `if` that ends in refusing (`raise`, or `return` of nothing, None, False or the count of attempts), and each
condition of a `where(...)` that has several. Of those in the modules below, each is taken out of a copy
of the source, and the tests of accounts are run until one fails: those of single pieces first, then those
over HTTP on SQLite. Prints every check that nobody misses, and the share that is missed by somebody.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parent.parent
AUTH = Path("tilth/features/auth")
MODULES = (
    "models/secrets.py",
    "models/sessions.py",
    "models/refresh.py",
    "models/identity.py",
    "models/api_keys.py",
    "models/factors.py",
    "models/passkeys.py",
    "service/jose/encoding.py",
    "service/jose/jws.py",
    "service/jose/keys.py",
    "service/jose/sets.py",
    "service/jose/tokens.py",
    "service/passwords/hashes.py",
    "service/passwords/pool.py",
    "service/passwords/rules.py",
    "service/passkeys/asked.py",
    "service/passkeys/ceremony.py",
    "service/passkeys/challenges.py",
    "service/passkeys/kept.py",
    "service/passkeys/party.py",
    "service/passwords_asked.py",
    "service/passwords_changed.py",
    "service/session_credentials.py",
    "service/cookies.py",
    "service/crossing.py",
    "service/grants.py",
    "service/invitations.py",
    "service/magic.py",
    "service/mail_codes.py",
    "service/readers.py",
    "service/sign_in.py",
    "service/support.py",
    "service/totp.py",
    "service/trusted.py",
)
TESTS = (
    ["tests/features/auth", "-n", "0"],
    ["tests/stories/auth", "-n", "2", "-k", "sqlite and not browser"],
)
LONGEST_SECONDS = 300
REFUSALS = frozenset({"Refused", "_refused", "_known", "_too_many"})
"""What units of work make to answer that they refuse."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """number: among the checks of its module, in the order of `ast.walk`. text: what is taken out."""

    module: str
    number: int
    line: int
    text: str


def mutants_of(module: str) -> Iterator[Mutant]:
    tree = ast.parse((ROOT / "src" / AUTH / module).read_text())
    for number, (line, text) in enumerate(taken_out(tree, None)):
        yield Mutant(module, number, line, text)


def taken_out(tree: ast.Module, wanted: int | None) -> list[tuple[int, str]]:
    """Every check of a module; the one that is wanted is taken out of the tree."""
    found: list[tuple[int, str]] = []
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and _refuses(node.body[-1]):
            found.append((node.lineno, f"if {ast.unparse(node.test)}"))
            if len(found) - 1 == wanted:
                node.test = ast.Constant(False)
        elif _is_where(node):
            for condition in list(node.args):
                found.append((condition.lineno, f"where {ast.unparse(condition)}"))
                if len(found) - 1 == wanted:
                    node.args.remove(condition)
    return found


def _refuses(last: ast.stmt) -> bool:
    if isinstance(last, ast.Return):
        value = last.value
        # What a unit of work answers when it has only counted an attempt.
        if isinstance(value, ast.Name) and value.id == "admission":
            return True
        if isinstance(value, ast.Call) and ast.unparse(value.func) in REFUSALS:
            return True
        return value is None or (isinstance(value, ast.Constant) and not value.value)
    return isinstance(last, ast.Raise)


def _is_where(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    is_plain = not any(isinstance(each, ast.Starred) for each in node.args)
    return node.func.attr == "where" and is_plain and len(node.args) > 1


def is_killed(mutant: Mutant, source: Path) -> bool:
    path = source / AUTH / mutant.module
    whole = path.read_text()
    tree = ast.parse(whole)
    taken_out(tree, mutant.number)
    path.write_text(ast.unparse(ast.fix_missing_locations(tree)))
    try:
        return any(fails(tests, source) for tests in TESTS)
    finally:
        path.write_text(whole)


def fails(tests: list[str], source: Path) -> bool:
    """Also when they do not end: whoever looks at the run would notice."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--every", type=int, default=1, help="only each n-th check")
    reader.add_argument("--only", default="", help="part of a module's name")
    given = reader.parse_args()
    modules = [each for each in MODULES if given.only in each]
    mutants = [each for module in modules for each in mutants_of(module)][:: given.every]
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        assert not any(fails(tests, source) for tests in TESTS), (
            "They fail with every check in place."
        )
        for mutant in mutants:
            if is_killed(mutant, source):
                killed += 1
            else:
                print(f"missed by no test: {mutant.module}:{mutant.line} {mutant.text}", flush=True)
    print(f"{killed} of {len(mutants)} checks are missed by a test ({killed / len(mutants):.0%}).")
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
