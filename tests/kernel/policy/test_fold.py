"""Rules fold to true, false or SQL, and never change what they say of a row."""

from itertools import product

import pytest
from sqlalchemy import Boolean, ColumnElement, and_, column, exists, false, not_, or_, select, true
from sqlalchemy.dialects import postgresql

from tilth.kernel.policy.fold import Folded, conjunction, disjunction, fold, negated
from tilth.kernel.policy.rules import Rule, public, role, signed_in

Truth = bool | None

yes, no = role("yes"), role("no")
row = column("row", Boolean)
other = column("other", Boolean)


def decide(rule: Rule) -> bool:
    return rule.wording in ("role('yes')", "public")


def folded(rule: ColumnElement[bool]) -> str | bool:
    """What is left of a rule, as SQL."""
    left = fold(rule, decide)
    if isinstance(left, bool):
        return left
    return str(left.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


KNOWN: list[tuple[ColumnElement[bool], str | bool]] = [
    (yes, True),
    (no, False),
    (public, True),
    (~yes, False),
    (~no, True),
    (~~yes, True),
    (true(), True),
    (false(), False),
    (yes & no, False),
    (yes | no, True),
    (~(yes & no), True),
    (row, "row"),
    (~row, "NOT row"),
    (yes & row, "row"),
    (row & yes, "row"),
    (no & row, False),
    (row & no, False),
    (yes | row, True),
    (row | yes, True),
    (no | row, "row"),
    (~(no | row), "NOT row"),
    (~(yes & row), "NOT row"),
    ((yes & row) | (no & other), "row"),
    ((yes | row) & (no | other), "other"),
    (row & other & yes, "row AND other"),
    (or_(no, row, no, other), "row OR other"),
    (and_(yes, or_(no, row), ~no), "row"),
    (not_(and_(yes, or_(no, yes))), False),
    ((row | other) & yes, "row OR other"),
    ((row | other) & (no | row), "(row OR other) AND row"),
]


@pytest.mark.parametrize(("rule", "left"), KNOWN)
def test_what_the_actor_decides_is_gone(rule: ColumnElement[bool], left: str | bool) -> None:
    assert folded(rule) == left


def test_leaf_inside_a_subquery_becomes_sql() -> None:
    """Folding does not reach there: what is true or false is said in SQL."""
    inside = exists(select(1).where(column("x") == 1, or_(no, column("y"))))

    sql = folded(inside & yes)

    assert isinstance(sql, str)
    assert "role" not in sql
    assert "false OR y" in sql


def test_rule_that_is_not_of_the_actor_is_kept_as_it_is() -> None:
    assert folded(row.is_(None)) == "row IS NULL"
    assert folded(row == other) == "row = other"


# SQL's truth: what folding does with a known value must agree with it for every row.

SQL_AND = {(a, b): False if False in (a, b) else None if None in (a, b) else True
           for a, b in product((True, False, None), repeat=2)}  # fmt: skip
SQL_OR = {(a, b): True if True in (a, b) else None if None in (a, b) else False
          for a, b in product((True, False, None), repeat=2)}  # fmt: skip


def value_of(part: Folded, row_value: Truth) -> Truth:
    """Of one that is known or is the row's own value."""
    return part if isinstance(part, bool) else row_value


@pytest.mark.parametrize(("known", "unknown"), list(product((True, False), (True, False, None))))
def test_known_values_fold_as_sql_has_them(known: bool, unknown: Truth) -> None:
    both, either = conjunction([known, row]), disjunction([known, row])

    assert value_of(both, unknown) == SQL_AND[known, unknown]
    assert value_of(either, unknown) == SQL_OR[known, unknown]


@pytest.mark.parametrize(("left", "right"), list(product((True, False), repeat=2)))
def test_two_known_values_fold_to_one(left: bool, right: bool) -> None:
    assert conjunction([left, right]) is (left and right)
    assert disjunction([left, right]) is (left or right)


def test_nothing_at_all_is_true_for_all_and_false_for_any() -> None:
    assert conjunction([]) is True
    assert disjunction([]) is False


@pytest.mark.parametrize("known", [True, False])
def test_negation_of_a_known_value(known: bool) -> None:
    assert negated(known) is not known


def test_leaf_rules_combine_as_written_on_any_database() -> None:
    """Not as `rule = 1`, which SQLAlchemy writes for a database without booleans."""
    rule = ~(signed_in & role("a")) | public

    assert fold(rule, lambda leaf: leaf.wording != "public") is False
