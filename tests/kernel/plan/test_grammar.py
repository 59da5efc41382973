"""What a filter means, and what its author is told when it means nothing."""

import pytest

from tilth.errors import BadRequest
from tilth.kernel.plan.grammar import parse_filter, print_filter
from tilth.kernel.plan.syntax import And, AnyOf, Compare, Expr, Negate, Or

A = Compare(("a",), "exact", "1")
B = Compare(("b",), "exact", "2")
C = Compare(("c",), "exact", "3")


def compare(lookup: str, value: str | tuple[str, ...]) -> Compare:
    return Compare(("a",), lookup, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", compare("exact", "1")),
        ("a != -1.50e+3", compare("ne", "-1.50e+3")),
        ("a<1", compare("lt", "1")),
        ("a<=-1", compare("lte", "-1")),
        ("a>1", compare("gt", "1")),
        ("a>=1", compare("gte", "1")),
        ("a = TRUE", compare("exact", "true")),
        ("a = 'it\\'s \"so\"'", compare("exact", 'it\'s "so"')),
        (r'a = "\\ \n \u00e9 \ud83d\ude00"', compare("exact", "\\ \n é 😀")),
        ('a in (1, "b, c", true)', compare("in", ("1", "b, c", "true"))),
        ("a in ()", compare("in", ())),
        ("a RANGE (1, 9)", compare("range", ("1", "9"))),
        ("a is null", compare("isnull", "true")),
        ("a Is Not Null", compare("isnull", "false")),
        ('a iexact "x"', compare("iexact", "x")),
        ('a contains "x"', compare("contains", "x")),
        ('a icontains "x"', compare("icontains", "x")),
        ('a startswith "x"', compare("startswith", "x")),
        ('a istartswith "x"', compare("istartswith", "x")),
        ('a endswith "x"', compare("endswith", "x")),
        ('a iendswith "x"', compare("iendswith", "x")),
    ],
)
def test_every_operator_is_a_lookup(text: str, expected: Expr) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("team.name = 1", ("team", "name")),
        ("`Order Details`.`from` = 1", ("Order Details", "from")),
        (r"`a\`b\\c` = 1", (r"a`b\c",)),
        ("`and` = 1", ("and",)),
        ("contains = 1", ("contains",)),
        ("größe = 1", ("größe",)),
        ("हिन्दी.名前 = 1", ("हिन्दी", "名前")),
        ("_x9 = 1", ("_x9",)),
    ],
)
def test_names_are_of_any_script_or_in_backquotes(text: str, path: tuple[str, ...]) -> None:
    assert parse_filter(text) == Compare(path, "exact", "1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1 and b=2 or c=3", Or((And((A, B)), C))),
        ("a=1 or b=2 and c=3", Or((A, And((B, C))))),
        ("a=1 AND b=2 And c=3", And((A, B, C))),
        ("a=1 and (b=2 and c=3)", And((A, And((B, C))))),
        ("(a=1 or b=2) and c=3", And((Or((A, B)), C))),
        ("not a=1 and b=2", And((Negate(A), B))),
        ("NOT (a=1 or b=2)", Negate(Or((A, B)))),
        ("not not a=1", Negate(Negate(A))),
        ("((a=1))", A),
        ("any(powers)", AnyOf(("powers",), None)),
        ("any(team.heroes, a=1 or b=2)", AnyOf(("team", "heroes"), Or((A, B)))),
        ("any(x, any(y, a=1))", AnyOf(("x",), AnyOf(("y",), A))),
    ],
)
def test_not_binds_closest_then_and_then_or(text: str, expected: Expr) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'age >= 18 and team.name = "Avengers" or any(powers, name = "flight")',
        "not (a = 1 or b = 2) and `Order Details`.`any` is not null",
        r'a in (1, "two, \"three\"", "") or b range ("2024-01-01", "2024-12-31") or c is null',
        r'a contains "\u0000\u000a\\" and not any(x)',
    ],
)
def test_a_printed_filter_is_written_as_a_person_would(text: str) -> None:
    assert print_filter(parse_filter(text)) == text


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("", 1, "expected a condition, found the end"),
        ("a = ", 5, "expected a value, found the end"),
        ("(a = )", 6, "expected a value, found ')'"),
        ("a = null", 5, "Write is null"),
        ("a != null", 6, "Write is not null"),
        ("a == 1", 3, "Write ="),
        ("a <> 1", 3, "Write !="),
        ("a = 1 && b = 2", 7, "Write and"),
        ("a = 1 || b = 2", 7, "Write or"),
        ("!(a = 1)", 1, "Write not"),
        ("a ~ 1", 3, "Write contains"),
        ("a = open", 5, 'Text goes in quotes: "open"'),
        ("a = 2024-01-31", 5, 'Text goes in quotes: "2024-01-31"'),
        ("a = “open”", 5, "Quotes are straight"),
        ('a = "open', 5, "no closing quote"),
        ("`a = 1", 1, "no closing backquote"),
        ("a in [1]", 6, "parentheses"),
        ("a in 1", 6, "expected '(' after in"),
        ("a in (1", 8, "expected ',' or ')'"),
        ("a in (1,)", 9, "expected a value"),
        ("a range (1)", 11, "expected ',' and the other end of the range"),
        ("a range (1, 2, 3)", 14, "expected ')'"),
        ("a not in (1)", 3, "Put not in front"),
        ("a between 1 and 2", 3, "Write range"),
        ("a gte 1", 3, "Write >="),
        ("a like 1", 3, "Write contains"),
        ("a is 1", 6, "expected 'null' or 'not null'"),
        ("a is not 1", 10, "expected 'null'"),
        ("in = 1", 1, "backquotes: `in`"),
        ("AND = 1", 1, "backquotes: `AND`"),
        ("first-name = 1", 6, "backquotes"),
        ('"a" = 1', 1, "A condition begins with the name of a field"),
        ("team. = 1", 7, "expected a name after the dot"),
        ("`` = 1", 1, "means nothing here"),
        ("a = 1 b = 2", 7, "expected 'and', 'or' or the end, found 'b'"),
        ("a = 1)", 6, "found ')'"),
        ("(a = 1", 7, "expected 'and', 'or' or ')'"),
        ("any powers", 5, "expected '(' after any"),
        ("any(powers", 11, "expected ',' or ')'"),
        ("any(powers, a = 1", 18, "expected 'and', 'or' or ')'"),
        ("any(powers,)", 12, "expected a condition"),
        (r'a = "C:\dir"', 8, r"\d is not an escape"),
        (r'a = "\ud83d"', 6, r"\ud83d is not an escape"),
    ],
)
def test_a_mistake_is_placed_and_explained(text: str, place: int, sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_filter(text)

    fault = caught.value.faults[0]
    assert (fault.pointer, fault.code) == ("?filter", "bad_filter")
    assert f" at character {place}: " in fault.detail
    assert sentence in fault.detail


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "1" * 3996,
        " and ".join(["a = 1"] * 200),
        "(" * 20 + "a = 1" + ")" * 20,
        "not " * 20 + "a = 1",
        f"a in ({','.join(['1'] * 500)})",
    ],
)
def test_the_largest_filters_allowed_are_read(text: str) -> None:
    assert parse_filter(print_filter(parse_filter(text))) == parse_filter(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "1" * 3997, "4,001 characters long; at most 4,000"),
        ("(" * 100_000, "100,000 characters long"),
        (" and ".join(["a = 1"] * 201), "more than 200 conditions"),
        (" or ".join(["any(a)"] * 201), "more than 200 conditions"),
        ("(" * 21 + "a = 1" + ")" * 21, "more than 20 levels deep"),
        ("(" * 3999, "more than 20 levels deep"),
        ("not " * 21 + "a = 1", "more than 20 levels deep"),
        ("any(a, " * 21 + "a = 1" + ")" * 21, "more than 20 levels deep"),
        (f"a in ({','.join(['1'] * 501)})", "a list of 501 values; at most 500"),
    ],
)
def test_a_filter_beyond_the_limits_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_filter(text)

    assert caught.value.code == "filter_too_large"
    assert reason in caught.value.detail


def test_a_lone_surrogate_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_filter('a = "\ud800"')

    assert caught.value.detail.encode()
