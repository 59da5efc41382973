"""Filters and lists of values: parse ∘ print is the identity, and no text breaks the parser."""

from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import BadRequest
from tilth.kernel.plan.grammar import parse_filter, print_filter
from tilth.kernel.plan.lookups import join_values, split_values
from tilth.kernel.plan.syntax import And, AnyOf, Compare, Expr, Negate, Or
from tilth.kernel.schema.kinds import ORDER, TEXT

WORDS = (
    "and",
    "OR",
    "NOT",
    "Any",
    "not",
    "any",
    "in",
    "is",
    "null",
    "true",
    "false",
    "range",
    "contains",
)

names = st.sampled_from([*WORDS, "a", "größe", "Order Details"]) | st.text(min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)
numbers = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
texts = numbers | st.sampled_from(WORDS) | st.text(max_size=12)
one_text = st.sampled_from(sorted({"exact", "ne"} | ORDER - {"range"} | TEXT))

comparisons = st.one_of(
    st.builds(Compare, paths, one_text, texts),
    st.builds(Compare, paths, st.just("in"), st.lists(texts, max_size=4).map(tuple)),
    st.builds(Compare, paths, st.just("range"), st.tuples(texts, texts)),
    st.builds(Compare, paths, st.just("isnull"), st.sampled_from(["true", "false"])),
)


def one_level_above(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(And, parts),
        st.builds(Or, parts),
        st.builds(Negate, inner),
        st.builds(AnyOf, paths, st.none() | inner),
    )


# Leaves are as simple as can be, so that examples differ in how they are nested.
leaves: st.SearchStrategy[Expr] = st.sampled_from([Compare(("a",), "exact", "1")])
bushes = leaves | one_level_above(leaves)
trees = one_level_above(bushes | one_level_above(bushes))

pieces = st.sampled_from(
    [*WORDS, *"()(),.=<>!&|~`'\"\\-+;[]", "a", "b.c", "`d e`", "1", "-2.5", "2024-01-31"]
    + ["<=", "!=", "==", '"x"', "''", r'"\u00e9"', r'"\ud800"', "“x”", "\ud800", "\0", "any(a, "]
)
almost_filters = st.lists(pieces, max_size=40).map(" ".join) | st.lists(pieces).map("".join)


@given(comparisons)
def test_a_printed_comparison_parses_to_the_same_comparison(comparison: Compare) -> None:
    assert parse_filter(print_filter(comparison)) == comparison


@given(trees)
def test_a_printed_filter_parses_to_the_same_tree(tree: Expr) -> None:
    assert parse_filter(print_filter(tree)) == tree


@given(almost_filters | st.text() | st.text(st.characters(categories=["Cs", "Po", "Lu", "Cc"])))
def test_any_text_is_a_filter_or_a_bad_request(text: str) -> None:
    try:
        tree = parse_filter(text)
    except BadRequest as problem:
        assert problem.detail.encode()
        assert problem.faults[0].pointer == "?filter"
    else:
        assert parse_filter(print_filter(tree)) == tree


@given(st.lists(st.text() | st.text('", \n\u00a0a')).map(tuple))
def test_joined_values_split_into_the_same_values(values: tuple[str, ...]) -> None:
    assert split_values(join_values(values)) == values


@given(st.text() | st.text('", a'))
def test_any_text_is_a_list_of_values_or_a_value_error(text: str) -> None:
    try:
        values = split_values(text)
    except ValueError as problem:
        assert "quote" in str(problem)
    else:
        assert split_values(join_values(values)) == values
