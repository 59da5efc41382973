"""Class name → the resource's name in URLs: plural, lower case, hyphenated."""

import re

_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "goose": "geese", "mouse": "mice", "ox": "oxen", "datum": "data",
    "medium": "media", "criterion": "criteria", "phenomenon": "phenomena", "index": "indexes",
    "quiz": "quizzes", "hero": "heroes", "echo": "echoes", "potato": "potatoes",
    "tomato": "tomatoes", "veto": "vetoes", "cargo": "cargoes", "leaf": "leaves", "life": "lives",
    "knife": "knives", "wife": "wives", "half": "halves", "shelf": "shelves", "wolf": "wolves",
    "thief": "thieves", "self": "selves", "loaf": "loaves", "calf": "calves",
    "crisis": "crises", "analysis": "analyses", "basis": "bases", "thesis": "theses",
    "diagnosis": "diagnoses", "hypothesis": "hypotheses", "axis": "axes",
}  # fmt: skip
_UNCOUNTED = frozenset(
    [
        "data",
        "media",
        "news",
        "series",
        "species",
        "equipment",
        "information",
        "money",
        "metadata",
        "feedback",
        "software",
        "hardware",
        "staff",
        "sheep",
        "fish",
        "deer",
        "aircraft",
        "people",
        "men",
        "women",
        "children",
        "feet",
        "teeth",
        "geese",
        "mice",
        "oxen",
        "criteria",
        "phenomena",
        "analytics",
        "staff",
        "traffic",
        "weather",
    ]
)
# Words in s that are singular nonetheless, besides those in ss, us and is.
_SINGULAR_IN_S = frozenset(
    ["gas", "lens", "bias", "atlas", "canvas", "alias", "iris", "chaos", "pancreas"]
)
_WORD_EDGE = re.compile(r"(?<=[^\W_A-Z\d])(?=[A-Z])|(?<=[A-Z\d])(?=[A-Z][^\W_A-Z\d])")
_SEPARATORS = re.compile(r"[\W_]+")


def resource_name(class_name: str) -> str:
    """ "InvoiceLine" → "invoice-lines", "Order Details" → "order-details".

    Letters outside ASCII stay; a URL carries them percent-encoded. A name without letters or
    digits is answered as "items".
    """
    spaced = _SEPARATORS.sub(" ", _WORD_EDGE.sub(" ", class_name)).strip().lower()
    *rest, last = spaced.split() or ["items"]
    return "-".join((*rest, plural(last)))


def plural(word: str) -> str:
    """The plural of a lower-case English noun; a word that already is one stays."""
    if word in _UNCOUNTED or word in _IRREGULAR.values():
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SINGULAR_IN_S or word.endswith(("ss", "us", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if word.endswith("s"):
        return word
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"
