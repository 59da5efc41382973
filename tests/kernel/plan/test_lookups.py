"""How `?age__gte=18` is taken apart."""

from collections.abc import Callable
from typing import Any

import pytest

from tilth.kernel.plan.lookups import (
    LOOKUPS,
    join_values,
    parse_lookup,
    parse_texts,
    parse_truth,
    split_values,
)
from tilth.kernel.schema.kinds import EQUALITY, ORDER, TEXT, Kind, KindName


def kind(name: KindName, parse: Callable[[str], Any], lookups: frozenset[str]) -> Kind:
    return Kind(name, {}, lookups, "text", parse, decode=str)


INTEGER = kind("integer", int, EQUALITY | ORDER)
WORDS = kind("text", str, EQUALITY | ORDER | TEXT)


def test_the_lookups_are_those_that_kinds_may_offer() -> None:
    assert set(LOOKUPS) == EQUALITY | ORDER | TEXT


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("age", (("age",), "exact")),
        ("age__gte", (("age",), "gte")),
        ("team__name", (("team", "name"), "exact")),
        ("team__name__icontains", (("team", "name"), "icontains")),
        ("team__isnull", (("team",), "isnull")),
        ("in", (("in",), "exact")),
        ("in__in", (("in",), "in")),
        ("team__in__exact", (("team", "in"), "exact")),
        ("age__GTE", (("age", "GTE"), "exact")),
        ("_id__lt", (("_id",), "lt")),
        ("", (("",), "exact")),
    ],
)
def test_a_last_segment_that_is_a_lookup_is_one(
    parameter: str, expected: tuple[tuple[str, ...], str]
) -> None:
    assert parse_lookup(parameter) == expected


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("age__in", (("age__in",), "exact")),
        ("age__in__in", (("age__in",), "in")),
        ("created__at", (("created__at",), "exact")),
        ("created__at__range", (("created__at",), "range")),
        ("created__by", (("created", "by"), "exact")),
    ],
)
def test_a_field_wins_over_other_readings(
    parameter: str, expected: tuple[tuple[str, ...], str]
) -> None:
    assert parse_lookup(parameter, {"age__in", "created__at"}) == expected


@pytest.mark.parametrize(
    ("lookup", "texts", "values"),
    [
        ("exact", ("18",), (18,)),
        ("in", ("1", "2", "3"), (1, 2, 3)),
        ("in", (), ()),
        ("in", ("1",) * 500, (1,) * 500),
        ("range", ("1", "9"), (1, 9)),
        ("isnull", ("true",), (True,)),
        ("isnull", ("True",), (True,)),
        ("isnull", ("1",), (True,)),
        ("isnull", ("false",), (False,)),
        ("isnull", ("0",), (False,)),
    ],
)
def test_values_are_parsed_by_the_kind(
    lookup: str, texts: tuple[str, ...], values: tuple[Any, ...]
) -> None:
    assert parse_texts(INTEGER, lookup, texts) == values


def test_a_piece_of_text_is_taken_as_it_is() -> None:
    enum = kind("enum", int, TEXT)

    assert parse_texts(enum, "icontains", (" 50% ",)) == (" 50% ",)


def test_a_relation_is_null_or_not() -> None:
    assert (parse_truth(("true",)), parse_truth(("0",))) == (True, False)


@pytest.mark.parametrize(
    ("column", "lookup", "texts", "sentence"),
    [
        (
            INTEGER,
            "contains",
            ("1",),
            "These do: exact, ne, lt, lte, gt, gte, in, range and isnull",
        ),
        (INTEGER, "approximately", ("1",), "'approximately' does not work on integer values"),
        (INTEGER, "exact", ("x",), "invalid literal"),
        (INTEGER, "range", ("1",), "Expected two values, as in 1,9, not 1"),
        (INTEGER, "range", ("1", "2", "3"), "Expected two values"),
        (INTEGER, "in", ("1",) * 501, "Expected at most 500 values, not 501"),
        (INTEGER, "isnull", ("maybe",), "Expected true or false, not 'maybe'"),
        (WORDS, "contains", ("a\0b",), "without the character U.0000"),
        (WORDS, "in", ("a", "\0"), "without the character U.0000"),
        (WORDS, "iexact", ("\udfff",), "without lone surrogates"),
    ],
)
def test_a_value_that_does_not_fit_is_explained(
    column: Kind, lookup: str, texts: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_texts(column, lookup, texts)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ()),
        ("  ", ()),
        ('""', ("",)),
        ("a", ("a",)),
        ("a, b ,c", ("a", "b", "c")),
        ("a,", ("a", "")),
        (",", ("", "")),
        ('"a,b",c', ("a,b", "c")),
        ('" a " , "b"', (" a ", "b")),
        ('"say ""hi""",x', ('say "hi"', "x")),
        ('""""', ('"',)),
        ('5"', ('5"',)),
    ],
)
def test_a_list_of_values_is_split_at_commas(text: str, values: tuple[str, ...]) -> None:
    assert split_values(text) == values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"a', "Expected a closing quote"),
        ('"a""', "Expected a closing quote"),
        ('x,"', "Expected a closing quote"),
        ('"a"b', "Expected a comma after a closing quote"),
        ('"a" b,c', "Expected a comma after a closing quote"),
    ],
)
def test_a_misplaced_quote_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        split_values(text)


def test_values_are_quoted_only_when_needed() -> None:
    assert join_values(("a b", "c,d", "", " e", 'f"')) == 'a b,"c,d",""," e","f"""'
