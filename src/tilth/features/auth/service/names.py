"""What people call themselves → the one form that is looked up and must be unique."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

import idna

from tilth.errors import Fault, Invalid, invalid

MOST_USERNAME_CHARACTERS = 64
MOST_EMAIL_CHARACTERS = 254
"""Octets of an address in SMTP (RFC 5321 section 4.5.3.1.3, erratum 1690)."""
MOST_LOCAL_OCTETS = 64
LEAST_PHONE_DIGITS = 7
MOST_PHONE_DIGITS = 15
"""E.164, the country code included."""

Kind = Literal["username", "email", "phone"]

_LONGEST_LOOKED_AT = 320
_MARKS_IN_A_ROW = 2
_USERNAME_PUNCTUATION = "._-"
_LOCAL_PUNCTUATION = "!#$%&'*+-/=?^_`{|}~."
# Scripts that are written together (UTS 39 section 5.1, highly restrictive); all else is mixed.
_WRITTEN_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)


@dataclass(frozen=True, slots=True)
class Name:
    """shown: as its owner wrote it, and where mail goes. key: equal for all that are the same."""

    kind: Kind
    shown: str
    key: str


def username(text: str, pointer: str = "/username") -> Name:
    """A name of 1 to 64 letters, digits, `.`, `_` and `-`, of one script.

    Bob, bob and ＢＯＢ have the same key (NFKC and case folding, as RFC 8265 section 3.3). Never an
    e-mail address or a telephone number, so that nobody can take somebody's address for a name.
    Names of one script that look like those of another are not told apart.
    Raises Invalid, with pointer.
    """
    shown = _short(text, MOST_USERNAME_CHARACTERS, "username", pointer)
    folded = unicodedata.normalize("NFKC", shown).casefold()
    key = unicodedata.normalize("NFKC", folded)
    if len(key) > MOST_USERNAME_CHARACTERS or not all(map(_is_username_character, key)):
        raise _refused(
            "username", pointer, "A username has letters, digits, dots, dashes and underscores."
        )
    if not (_is_letter(key[0]) or key[0].isdecimal()) or key[-1] == ".":
        raise _refused(
            "username", pointer, "A username begins with a letter or digit and ends with no dot."
        )
    if _is_mixed(key) or _has_stacked_marks(key):
        raise _refused(
            "username", pointer, "A username is written in one script, such as Latin or Cyrillic."
        )
    return Name("username", unicodedata.normalize("NFC", shown), key)


def email(text: str, pointer: str = "/email") -> Name:
    """An address of at most 254 characters whose domain has a dot.

    shown has the local part as typed and the domain in lower case, in IDNA's ASCII form. The local
    part of key is case folded: two people must not share an address but for capitals. Dots and
    plus signs are kept, since what they mean is up to the provider. No quoted local parts, no
    address literals. Raises Invalid, with pointer.
    """
    typed = unicodedata.normalize("NFC", _short(text, MOST_EMAIL_CHARACTERS, "email", pointer))
    local, at, domain = typed.rpartition("@")
    # A character that turns into another one, such as a full-width @, is there to deceive.
    if unicodedata.normalize("NFKC", typed) != typed or not at or not _is_local_part(local):
        raise _refused("email", pointer, "An e-mail address is like ada@example.org.")
    shown = f"{local}@{_ascii_domain(domain, pointer)}"
    if len(shown.encode("utf-8")) > MOST_EMAIL_CHARACTERS:
        raise _refused(
            "email", pointer, f"An e-mail address has at most {MOST_EMAIL_CHARACTERS} characters."
        )
    folded = unicodedata.normalize("NFC", local.casefold())
    return Name("email", shown, f"{folded}@{shown.rpartition('@')[2]}")


def phone(text: str, pointer: str = "/phone") -> Name:
    """A number with its country code, `+49 30 901820`; spaces, dashes, dots and brackets are left out.

    The form is checked (E.164: 7 to 15 digits), not whether the number is in use.
    Raises Invalid, with pointer.
    """
    short = text.strip() if len(text) <= _LONGEST_LOOKED_AT else ""
    kept = "".join(c for c in short if c not in " -.()/\u00a0")
    digits = kept.removeprefix("+")
    is_number = kept.startswith("+") and digits.isascii() and digits.isdigit()
    is_long_enough = LEAST_PHONE_DIGITS <= len(digits) <= MOST_PHONE_DIGITS
    if not (is_number and is_long_enough) or digits.startswith("0"):
        raise _refused(
            "phone",
            pointer,
            "A telephone number begins with + and its country code: +49 30 901820.",
        )
    return Name("phone", f"+{digits}", f"+{digits}")


def name_from(text: str) -> Name | None:
    """Whichever of the three text is, for signing in; None when nobody can have it as a name."""
    stripped = text.strip() if len(text) <= _LONGEST_LOOKED_AT else ""
    read = email if "@" in stripped else phone if stripped.startswith("+") else username
    try:
        return read(stripped)
    except Invalid:
        return None


def _short(text: str, most: int, kind: Kind, pointer: str) -> str:
    """Text without the space around it. Long text is refused before anything is done with it."""
    stripped = text.strip() if len(text) <= _LONGEST_LOOKED_AT else text
    if not 1 <= len(stripped) <= most:
        raise _refused(kind, pointer, f"Expected 1 to {most} characters.")
    return stripped


def _refused(kind: Kind, pointer: str, detail: str) -> Invalid:
    return invalid([Fault(pointer, f"bad_{kind}", detail)])


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] == "L"


def _is_word_character(character: str) -> bool:
    """Letters, their marks, and decimal digits: nothing invisible, no controls, no symbols."""
    return unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"


def _is_username_character(character: str) -> bool:
    # Digits of other scripts look like other ASCII digits; NFKC leaves them as they are.
    is_foreign_digit = unicodedata.category(character) == "Nd" and not character.isascii()
    is_listed = character in _USERNAME_PUNCTUATION
    return is_listed or (_is_word_character(character) and not is_foreign_digit)


def _is_mixed(text: str) -> bool:
    scripts = frozenset(_script(character) for character in text if _is_letter(character))
    return len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER)


def _script(letter: str) -> str:
    """The first word of its Unicode name, which is the script's for letters."""
    return unicodedata.name(letter, "UNNAMED").split(" ")[0]


def _has_stacked_marks(text: str) -> bool:
    in_a_row = 0
    for character in unicodedata.normalize("NFD", text):
        in_a_row = in_a_row + 1 if unicodedata.category(character)[0] == "M" else 0
        if in_a_row > _MARKS_IN_A_ROW:
            return True
    return False


def _is_local_part(local: str) -> bool:
    """A dot-atom, of any letters (RFC 5322 section 3.2.3, RFC 6531 section 3.3)."""
    return (
        0 < len(local.encode("utf-8", "surrogatepass")) <= MOST_LOCAL_OCTETS
        and all(local.split("."))
        and all(c in _LOCAL_PUNCTUATION or _is_word_character(c) for c in local)
        and not _is_mixed(local)
    )


def _ascii_domain(domain: str, pointer: str) -> str:
    try:
        ascii_form = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as exc:
        raise _refused("email", pointer, "The part after @ is not the name of a domain.") from exc
    last_label = ascii_form.rpartition(".")[2]
    if "." not in ascii_form or not last_label or last_label.isdigit():
        raise _refused("email", pointer, "The part after @ is a domain such as example.org.")
    return ascii_form.lower()
