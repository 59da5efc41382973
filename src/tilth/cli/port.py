"""Host and port → a socket that listens there, or a sentence on why not."""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address

from tilth.errors import CommandError

WAITING = 128
TRIED = 50
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""All interfaces, and where such a server is reached from this machine."""


def listen(host: str, port: int) -> socket.socket:
    """port: 0 for any that is free. Connections wait here until somebody accepts them."""
    try:
        listening = _bound(host, port)
    except OSError as exc:
        raise _refused(exc, host, port) from exc
    except OverflowError as exc:
        raise CommandError(f"{port} is not a port: they go from 0 to 65535.") from exc
    listening.listen(WAITING)
    return listening


def address_of(listening: socket.socket) -> str:
    """`http://127.0.0.1:8000`, as it is reached from this machine."""
    host, port = listening.getsockname()[:2]
    shown = EVERYWHERE.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        if os.name == "posix":
            # Not elsewhere: on Windows it would take a port from a program that listens there.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _refused(exc: OSError, host: str, port: int) -> CommandError:
    if exc.errno == errno.EADDRINUSE:
        free = _free_port(host, port)
        hint = f"Port {free} is free: --port {free}" if free else None
        return CommandError(f"Port {port} on {host} is taken by another program.", hint)
    if exc.errno == errno.EACCES:
        hint = "Take one from 1024 on, such as --port 8000."
        return CommandError(f"Port {port} needs rights this user does not have.", hint)
    hint = "Use an address of this machine, such as --host 127.0.0.1 or --host 0.0.0.0."
    return CommandError(f"{host} is no address of this machine that can be listened on.", hint)


def _free_port(host: str, taken: int) -> int | None:
    for port in range(taken + 1, min(taken + TRIED, 65536)):
        try:
            _bound(host, port).close()
        except OSError:
            continue
        return port
    return None
