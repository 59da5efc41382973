"""The JOSE wrapper against the public vectors of Wycheproof: who is right about each?

    python bench/jose_vectors.py path/to/wycheproof/testvectors_v1

The folder holds json_web_signature_test.json and json_web_key_test.json of the project of that name
(C2SP/wycheproof); they are not part of Tilth. A vector names its keys and a token, and says whether
the token is to be accepted. Ends with 1 when one that is invalid is accepted; valid ones that are
refused are listed with the reason, since a strict wrapper refuses some on purpose: algorithms and
curves that are not offered, and header members that it does not take (crit, b64).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.jws import verify
from tilth.features.auth.service.jose.keys import key_from_jwk
from tilth.features.auth.service.jose.sets import keys_from_jwks

FILES = ("json_web_signature_test.json", "json_web_key_test.json")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("folder", type=Path)
    folder: Path = arguments.parse_args().folder
    is_safe = True
    for name in FILES:
        is_safe = _run(name, json.loads((folder / name).read_text())) and is_safe
    return 0 if is_safe else 1


def _run(name: str, vectors: Mapping[str, Any]) -> bool:
    seen: Counter[str] = Counter()
    for group, vector in _vectors(vectors):
        refused = _refusal(group, vector["jws"])
        # "acceptable": either answer is right.
        wanted = vector["result"]
        is_right = wanted == "acceptable" or (wanted == "valid") == (refused is None)
        seen["right" if is_right else f"{wanted}, but {'refused' if refused else 'accepted'}"] += 1
        if not is_right:
            print(f"{name} {vector['tcId']} {vector.get('comment')!r}: {refused or 'accepted'}")
    total = seen.total()
    print(f"{name}: {seen.pop('right', 0)} of {total} right {dict(seen)}")
    return not seen["invalid, but accepted"]


def _vectors(vectors: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for group in vectors["testGroups"]:
        yield from ((group, vector) for vector in group["tests"])


def _refusal(group: Mapping[str, Any], token: object) -> str | None:
    """Why the token is refused; None when it is accepted. Shared secrets have no public half."""
    keys = group.get("public") or group["private"]
    try:
        if "keys" in keys:
            verify(str(token), keys_from_jwks(json.dumps(keys).encode()))
        else:
            verify(str(token), [key_from_jwk(keys)])
    except BadCredential as exc:
        return f"{exc.reason}: {exc}"
    return None


if __name__ == "__main__":
    sys.exit(main())
