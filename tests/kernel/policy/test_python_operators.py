"""Python's own operators in a rule are told, before a rule is served of which they left half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth.kernel.policy.checks import policy_findings
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import me, owner, public, role, signed_in
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[str | None]
    draft: Mapped[bool]


SCHEMA, _ = schema_from([Exposure(Hero)], "sqlite")

Find = Callable[[str], list[tuple[str, str, str]]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """What is found in a file that makes `policy`: code, subject and the text in its source."""

    def find(text: str) -> list[tuple[str, str, str]]:
        file = tmp_path / "rules.py"
        file.write_text(text, "utf-8")
        names: dict[str, Any] = {"Hero": Hero, "Policy": Policy, "me": me, "DEBUG": True}
        names |= {"public": public, "role": role, "owner": owner, "signed_in": signed_in}
        exec(compile(text, file, "exec"), names)
        findings = list(policy_findings(SCHEMA["heroes"], names["policy"], "app.py:7"))
        lines = text.splitlines()
        return [
            (each.code, each.subject, lines[int((each.where or "").rpartition(":")[2]) - 1].strip())
            for each in findings
            if each.code == "policy.python_operator"
        ]

    return find


DROPPED = [
    'Hero.name == "a" and role("x")',
    'Hero.name != "a" or role("x")',
    "Hero.draft and signed_in",
    'role("x") | (not Hero.draft)',
    'public if DEBUG else (Hero.name == "a" and public)',
    'role("x") | (Hero.owner_id is not None)',
    'role("x") | (Hero.owner_id in ["a", "b"])',
    'Hero.name == Hero.owner_id == "a"',
    'Hero.name == Hero.draft | role("x")',
]


@pytest.mark.parametrize("rule", DROPPED)
def test_half_a_rule_is_a_mistake(rule: str, find: Find) -> None:
    text = f"policy = Policy(read={rule})"

    assert find(text) == [("policy.python_operator", "Hero.read", text)]


INDIRECT = [
    "rule = Hero.draft and signed_in\npolicy = Policy(read=rule)",
    "def rule():\n    return Hero.draft and signed_in\npolicy = Policy(read=rule())",
    "policy = Policy(\n    read=public,\n    fields={'name': Hero.draft and signed_in},\n)",
    "policy = Policy(\n    Hero.draft and signed_in\n)",
]


@pytest.mark.parametrize("text", INDIRECT)
def test_half_a_rule_is_found_where_it_is_written(text: str, find: Find) -> None:
    [(_, _, line)] = find(text)

    assert "Hero.draft and signed_in" in line


WHOLE = [
    '(Hero.name == "a") & role("x") | ~Hero.draft',
    "public if DEBUG and True else signed_in",
    'role(None or "x")',
    'Hero.owner_id.is_(None) | Hero.owner_id.in_(["a"])',
]


@pytest.mark.parametrize("rule", WHOLE)
def test_python_may_decide_what_is_not_of_rows(rule: str, find: Find) -> None:
    assert find(f"policy = Policy(read={rule})") == []


def test_python_may_choose_among_policies(find: Find) -> None:
    assert find("policy = None or Policy(read=public)") == []


def test_a_policy_without_source_is_taken_as_it_is() -> None:
    names: dict[str, Any] = {"Policy": Policy, "public": public}
    exec("policy = Policy(read=public)", names)

    assert list(policy_findings(SCHEMA["heroes"], names["policy"])) == []


REFUSED: list[Callable[[], object]] = [
    lambda: Hero.owner_id == me.id and role("x"),
    lambda: me.tenant != Hero.owner_id or role("x"),
    lambda: role("x") and Hero.owner_id == me.id,
    lambda: owner("owner_id") or public,
    lambda: not signed_in,
]


@pytest.mark.parametrize("rule", REFUSED)
def test_what_names_the_actor_has_no_truth_value(rule: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"Combine rules by & \| ~"):
        rule()


# mypy sees them too, which is why they are written as text.
UNBRACKETED = [
    'Hero.id >= 18 | role("x")',
    'Hero.owner_id == me.id & role("x")',
    "'a' | owner('b')",
]


@pytest.mark.parametrize("rule", UNBRACKETED)
def test_missing_parentheses_are_told(rule: str) -> None:
    with pytest.raises(TypeError, match="parentheses"):
        eval(rule)


def test_parameters_of_me_can_be_kept_in_sets() -> None:
    asked = me.id

    assert asked in {asked, me.tenant}
    assert me.id not in {asked}
