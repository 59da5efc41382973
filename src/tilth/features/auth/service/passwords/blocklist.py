"""A file of passwords that everybody tries first, asked without reading it whole.

The file has an eight byte name and then, in order, five bytes of BLAKE2b of each folded password.
A password that is not in it is taken for one that is about once in 10^12 / entries look-ups.
"""

import hashlib
import mmap
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_NAME = b"tilthbl1"
_ENTRY_BYTES = 5
_LEAST_FOLDED = 4

_SHIPPED = Path(__file__).with_name("common_passwords.bin")

# What people write for a letter; l and i look the same and are one here.
_LEET = str.maketrans("013457@$!|l", "oieastasiii")


class Blocklist:
    """Looks passwords up in a file that stays mapped: pages are shared by all processes."""

    def __init__(self, path: Path = _SHIPPED) -> None:
        """Raises ValueError for a file that write_blocklist has not made."""
        with path.open("rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = len(self._content) - len(_NAME)
        if self._content[: len(_NAME)] != _NAME or size % _ENTRY_BYTES:
            raise ValueError(f"{path.name} is not a blocklist: make one with write_blocklist.")
        self._entries = size // _ENTRY_BYTES

    def __len__(self) -> int:
        return self._entries

    def __contains__(self, password: str) -> bool:
        """Whatever its capitals, and with digits and signs in place of letters."""
        wanted = _entry(folded(password))
        low, high = 0, self._entries
        while low < high:
            middle = (low + high) // 2
            at = len(_NAME) + middle * _ENTRY_BYTES
            found = self._content[at : at + _ENTRY_BYTES]
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False


def write_blocklist(path: Path, passwords: Iterable[str]) -> int:
    """How many entries were written. Those of fewer than four characters are left out."""
    entries = {_entry(folded(word)) for word in passwords if len(word) >= _LEAST_FOLDED}
    path.write_bytes(_NAME + b"".join(sorted(entries)))
    return len(entries)


def folded(password: str) -> str:
    """What `Pa$$w0rd` and `password` have in common."""
    return unicodedata.normalize("NFKC", password).casefold().translate(_LEET)


def _entry(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=_ENTRY_BYTES).digest()
