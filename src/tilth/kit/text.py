"""Names in sentences: what was probably meant, and what there is to choose from."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Below this, difflib joins words that merely share letters; at it, two swapped letters in a word
# of four still match.
CLOSENESS = 0.75

# Comparing is quadratic in length, and nobody misspells a name this long.
LONGEST_NAME = 64

MOST_LISTED = 30


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that name is most likely a misspelling of, or None when none is close.

    Upper and lower case count as equal. Offer only candidates the caller may know of.
    """
    if len(name) > LONGEST_NAME:
        return None
    spelled = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(name.lower(), spelled, n=1, cutoff=CLOSENESS)
    return spelled[close[0]] if close else None


def sentence_list(names: Iterable[str]) -> str:
    """Names in the order given, for the middle of a sentence: `author, body and title`.

    A long list is cut: `a, b … and 12 more`. No names: `none`.
    """
    listed = list(names)
    if len(listed) > MOST_LISTED:
        return _joined([*listed[:MOST_LISTED], f"{len(listed) - MOST_LISTED} more"])
    return _joined(listed)


def _joined(listed: Sequence[str]) -> str:
    if len(listed) < 2:
        return listed[0] if listed else "none"
    return f"{', '.join(listed[:-1])} and {listed[-1]}"
