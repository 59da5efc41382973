"""Every request has an id: the caller's own when it is sane, else a fresh one."""

import re

from starlette.types import Scope

from tilth.kit.ids import uuid7_text
from tilth.runtime.web.media import header

# It is copied into logs and headers, so nothing that could end a line or a quoted string.
SANE = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id_for(scope: Scope) -> bytes:
    sent = header(scope, b"x-request-id")
    return sent if sent and SANE.fullmatch(sent) else uuid7_text().encode()
