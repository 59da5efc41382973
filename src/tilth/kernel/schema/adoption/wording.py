"""Names of tables and columns → names made of the same words in the same style."""

import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tilth.kernel.schema.naming import plural

_WORD = re.compile(r"[^\W_]+")
_EDGE = re.compile(r"(?<=[^\W_A-Z\d])(?=[A-Z])|(?<=[A-Z\d])(?=[A-Z][^\W_A-Z\d])")
_LAST_WORD = re.compile(r"(?:[A-Z]?[^\W_A-Z]+|[A-Z\d]+)(?=[\W_]*$)")
_ID_SUFFIX = re.compile(r"(?:[\W_]+id|(?<=[^\W_A-Z])I[dD])$", re.UNICODE)
_ID_IN_ANY_CASE = re.compile(r"[\W_]+id$", re.IGNORECASE)

# Words whose singular no rule finds.
_NOUNS = (
    "person", "man", "woman", "child", "foot", "tooth", "goose", "mouse", "ox", "criterion",
    "phenomenon", "index", "quiz", "hero", "echo", "potato", "tomato", "veto", "cargo", "leaf",
    "life", "knife", "wife", "half", "shelf", "wolf", "thief", "loaf", "calf", "crisis",
    "analysis", "basis", "thesis", "diagnosis", "hypothesis", "axis", "cache", "movie", "cookie",
    "tie", "gas", "lens", "bias", "atlas", "canvas", "alias", "iris",
)  # fmt: skip
_SAME = frozenset(["news", "series", "species", "analytics"])
_SINGULARS = {plural(noun): noun for noun in _NOUNS}

Casing = Literal["lower", "upper", "title", "camel"]


@dataclass(frozen=True, slots=True)
class Style:
    """separator: between words. casing: of the words."""

    separator: str
    casing: Casing


def style_of(name: str) -> Style:
    """ "invoice_line" and "line" are lower with "_", "InvoiceLine" and "Line" title with none."""
    letters = [each for each in name if each.lower() != each.upper()]
    if all(each.islower() for each in letters):
        return Style("_", "lower")
    if all(each.isupper() for each in letters):
        return Style("_", "upper")
    separator = "_" if "_" in name else ""
    return Style(separator, "title" if letters[0].isupper() else "camel")


def styled(words: Sequence[str], style: Style) -> str:
    match style.casing:
        case "lower" | "upper":
            parts = [getattr(word, style.casing)() for word in words]
        case "title":
            parts = [_titled(word) for word in words]
        case "camel":
            parts = [words[0].lower(), *(_titled(word) for word in words[1:])]
    return style.separator.join(parts)


def _titled(word: str) -> str:
    """An abbreviation such as URL stays as it is."""
    return word[:1].upper() + word[1:]


def words_of(name: str) -> list[str]:
    return [word for run in _WORD.findall(name) for word in _EDGE.split(run)]


def class_name(table_name: str) -> str:
    """ "invoice_line" → "InvoiceLine", "2019 sales" → "Table2019Sales"."""
    made = styled(words_of(table_name), Style("", "title"))
    return made if made.isidentifier() else f"Table{made}"


def is_plain(name: str) -> bool:
    """Made of letters, digits and underscores alone."""
    return re.fullmatch(r"\w+", name) is not None


def plural_name(name: str) -> str:
    """The name with its last word in the plural, the rest as it is."""
    return _LAST_WORD.sub(lambda last: _cased_like(name, last[0], plural(last[0].lower())), name)


def singular_name(name: str) -> str:
    return _LAST_WORD.sub(lambda last: _cased_like(name, last[0], singular(last[0].lower())), name)


def _cased_like(name: str, word: str, changed: str) -> str:
    if name.isupper():
        return changed.upper()
    kept = len(os.path.commonprefix([word.lower(), changed]))
    return word[:kept] + changed[kept:]


def singular(word: str) -> str:
    """The singular of a lower-case English plural; a word that is none stays."""
    if word in _SINGULARS:
        return _SINGULARS[word]
    if word in _SAME or word.endswith(("us", "is", "ss")):
        return word
    return next((each for each in _shorter(word) if plural(each) == word), word)


def _shorter(word: str) -> list[str]:
    if word.endswith("ies"):
        return [f"{word[:-3]}y"]
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return [word[:-2]]
    if word.endswith("uses") and word[-5:-4] not in ("o", "a", ""):
        return [word[:-2]]
    return [word[:-1]] if word.endswith("s") else []


def without_id(name: str, targets: Sequence[str]) -> str | None:
    """ "ArtistId" → "Artist", "artist_id" → "artist"; None when there is no id suffix, or no more.

    targets: words that also count in front of a mere "id", as in "artistid".
    """
    for suffix in (_ID_SUFFIX, _ID_IN_ANY_CASE):
        stem = suffix.sub("", name)
        if stem != name:
            return stem or None
    stem = name[:-2]
    known = {target.lower() for target in targets}
    return stem if name.lower().endswith("id") and stem.lower() in known else None
