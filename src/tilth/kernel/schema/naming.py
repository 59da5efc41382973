"""Class name → the resource's name in URLs: plural, lower case, hyphenated."""

import re

_IRREGULAR = {
    "man": "men", "salesman": "salesmen", "foot": "feet", "tooth": "teeth", "goose": "geese",
    "mouse": "mice", "ox": "oxen", "datum": "data", "medium": "media", "criterion": "criteria",
    "phenomenon": "phenomena", "matrix": "matrices", "vertex": "vertices", "quiz": "quizzes",
    "hero": "heroes", "echo": "echoes", "potato": "potatoes", "tomato": "tomatoes",
    "veto": "vetoes", "leaf": "leaves", "life": "lives", "knife": "knives", "wife": "wives",
    "half": "halves", "shelf": "shelves", "wolf": "wolves", "thief": "thieves", "loaf": "loaves",
    "calf": "calves", "axis": "axes", "epoch": "epochs", "stomach": "stomachs",
    "monarch": "monarchs",
}  # fmt: skip
_IRREGULAR_ENDINGS = {"person": "people", "child": "children", "woman": "women"}
_PLURALS = frozenset({*_IRREGULAR.values(), *_IRREGULAR_ENDINGS.values()})
_UNCOUNTED = frozenset(
    {
        "analytics", "aircraft", "chassis", "deer", "equipment", "feedback", "fish", "hardware",
        "information", "menus", "metadata", "money", "news", "series", "sheep", "software",
        "species", "staff", "traffic", "weather",
    }
)  # fmt: skip
# Singular though they end in s, besides those in ss, us and sis.
_SINGULAR_IN_S = frozenset({"alias", "atlas", "bias", "canvas", "chaos", "gas", "iris", "lens"})
_HISSING = ("ss", "us", "x", "z", "ch", "sh")
_WORD_EDGE = re.compile(r"(?<=[^\W_A-Z\d])(?=[A-Z])|(?<=[A-Z\d])(?=[A-Z][^\W_A-Z\d])")
_SEPARATORS = re.compile(r"[\W_]+")


def resource_name(class_name: str) -> str:
    """ "InvoiceLine" → "invoice-lines", "Order Details" → "order-details".

    Letters outside ASCII stay; a URL carries them percent-encoded. A name without letters or
    digits becomes "items".
    """
    *rest, last = _words(class_name) or ["items"]
    return "-".join((*rest, plural(last)))


def hyphenated(class_name: str) -> str:
    """ "InvoiceLine" → "invoice-line"."""
    return "-".join(_words(class_name) or ["item"])


def _words(class_name: str) -> list[str]:
    return _SEPARATORS.sub(" ", _WORD_EDGE.sub(" ", class_name)).strip().lower().split()


def plural(word: str) -> str:
    """The plural of a lower-case English noun; one that already is a plural stays.

    So does a word that ends in a letter outside ASCII: it is not English.
    """
    if word in _UNCOUNTED or word.endswith(tuple(_PLURALS)) or not word[-1].isascii():
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, replacement in _IRREGULAR_ENDINGS.items():
        if word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return _regular_plural(word)


def _regular_plural(word: str) -> str:
    if word in _SINGULAR_IN_S or word.endswith(_HISSING):
        return f"{word}es"
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if word.endswith("s"):
        return word
    if re.search("[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"
