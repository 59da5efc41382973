"""Take security checks out one by one, and see whether a test fails.

    python bench/mutants.py [--area tokens] [--every 1] [--own]

A check is an `if` that ends in refusing (`raise`, or `return` of nothing, None, False or the count of attempts), and each
condition of a `where(...)` that has several. Of those in the modules below, each is taken out of a copy
of the source, and the tests of accounts are run until one fails: those of its area first, then all others,
over HTTP on SQLite. Prints every check that nobody misses, and for each area the share that is missed by somebody.
With --own only the tests of the area are asked, which is many times quicker and counts too few.
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
STORIES = "tests/stories/auth"
PIECES = "tests/features/auth"
ON_SQLITE = ("-k", "sqlite and not browser")
EVERY = [[PIECES], [STORIES, *ON_SQLITE]]


@dataclass(frozen=True, slots=True)
class Area:
    """modules: with checks. stories, pieces: the tests that are about them, over HTTP and of single pieces."""

    modules: tuple[str, ...]
    stories: tuple[str, ...]
    pieces: tuple[str, ...] = ()

    @property
    def tests(self) -> list[list[str]]:
        """Its own; what is run until one fails, the quickest first."""
        found = [[f"{PIECES}/service/{each}.py" for each in self.pieces]] if self.pieces else []
        own = [f"{STORIES}/{each}.py" for each in self.stories]
        return [*found, [*own, *ON_SQLITE]]


AREAS = {
    "secrets": Area(
        ("models/secrets.py", "service/magic.py", "service/invitations.py"),
        ("test_left_behind", "test_invitations", "test_races", "test_attacks"),
    ),
    "sessions": Area(
        (
            "models/sessions.py",
            "models/identity.py",
            "service/session_credentials.py",
            "service/cookies.py",
            "service/crossing.py",
            "service/support.py",
            "service/step_up.py",
        ),
        (
            "test_session_attacks",
            "test_accounts",
            "test_crossing",
            "test_left_behind",
            "test_attacks",
        ),
        ("test_cookies",),
    ),
    "tokens": Area(
        (
            "models/refresh.py",
            "service/grants.py",
            "service/bearer.py",
            "service/jose/encoding.py",
            "service/jose/jws.py",
            "service/jose/keys.py",
            "service/jose/sets.py",
            "service/jose/tokens.py",
        ),
        ("test_token_attacks", "test_left_behind", "test_races", "test_attacks"),
        ("test_jws", "test_tokens", "test_token_keys"),
    ),
    "keys": Area(
        ("models/api_keys.py", "service/readers.py"),
        ("test_of_others", "test_attacks"),
        ("test_api_keys",),
    ),
    "passwords": Area(
        (
            "service/passwords/hashes.py",
            "service/passwords/pool.py",
            "service/passwords/rules.py",
            "service/passwords_asked.py",
            "service/passwords_changed.py",
            "service/sign_in.py",
            "service/sign_up.py",
            "service/account_kept.py",
            "service/addresses_changed.py",
        ),
        ("test_without_password", "test_left_behind", "test_races", "test_attacks"),
        ("test_hashing_pool", "test_password_hashes", "test_password_rules"),
    ),
    "factors": Area(
        (
            "models/factors.py",
            "service/factors_asked.py",
            "service/factors_kept.py",
            "service/mail_codes.py",
            "service/totp.py",
            "service/trusted.py",
        ),
        ("test_mail_codes", "test_trusted_devices", "test_of_others", "test_races", "test_attacks"),
        ("test_totp",),
    ),
    "passkeys": Area(
        (
            "models/passkeys.py",
            "service/passkeys/asked.py",
            "service/passkeys/ceremony.py",
            "service/passkeys/challenges.py",
            "service/passkeys/kept.py",
        ),
        ("test_passkey_attacks", "test_passkeys", "test_passkey_pages"),
        ("test_passkey_ceremony", "test_passkey_party"),
    ),
    "limits": Area(
        ("models/counters.py", "service/guard.py", "service/origins.py"),
        ("test_mail_codes", "test_passkey_attacks", "test_attacks"),
    ),
}
LONGEST_SECONDS = 900
TOLD_CHARACTERS = 4000
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


def is_killed(mutant: Mutant, tests: list[list[str]], source: Path) -> bool:
    path = source / AUTH / mutant.module
    whole = path.read_text()
    tree = ast.parse(whole)
    taken_out(tree, mutant.number)
    path.write_text(ast.unparse(ast.fix_missing_locations(tree)))
    try:
        return any(fails(each, source) for each in tests)
    finally:
        path.write_text(whole)


def fails(tests: list[str], source: Path, *, is_told: bool = False) -> bool:
    """Also when they do not end: whoever looks at the run would notice. is_told: prints what failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-n", "0", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return True
    if is_told and done.returncode:
        print(done.stdout.decode()[-TOLD_CHARACTERS:], flush=True)
    return done.returncode != 0


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--area", choices=[*AREAS], action="append", help="only these checks")
    reader.add_argument("--every", type=int, default=1, help="only each n-th check")
    reader.add_argument("--own", action="store_true", help="only the tests of its area")
    given = reader.parse_args()
    areas = {name: area for name, area in AREAS.items() if name in (given.area or AREAS)}
    is_whole = True
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        others = [] if given.own else EVERY
        for each in [*others, *(tests for area in areas.values() for tests in area.tests)]:
            assert not fails(each, source, is_told=True), (
                f"With every check in place, these fail: {each}"
            )
        for name, area in areas.items():
            is_whole &= examined(name, area, others, given.every, source)
    return 0 if is_whole else 1


def examined(name: str, area: Area, others: list[list[str]], every: int, source: Path) -> bool:
    """Whether a test misses each check of the area; prints those that none does, and the share."""
    mutants = [each for module in area.modules for each in mutants_of(module)][::every]
    killed = 0
    for mutant in mutants:
        if is_killed(mutant, [*area.tests, *others], source):
            killed += 1
        else:
            print(f"missed by no test: {mutant.module}:{mutant.line} {mutant.text}", flush=True)
    share = killed / len(mutants)
    told = f"{name}: {killed} of {len(mutants)} checks are missed by a test ({share:.0%})."
    print(told, flush=True)
    return killed == len(mutants)


if __name__ == "__main__":
    sys.exit(main())
