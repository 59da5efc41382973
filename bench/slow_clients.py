"""How long five kinds of slow client hold a connection: under Tilth's server, or plain uvicorn.

python bench/slow_clients.py            Tilth, default budgets
python bench/slow_clients.py --plain    the same application under uvicorn alone
"""

import asyncio
import multiprocessing
import socket
import sys
from time import monotonic

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.server import serve
from tilth.settings import Settings

WATCH_SECONDS = 60.0
BODY = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\n"

# What is sent at once, what is sent after each pause, and the pause in seconds.
PATTERNS = {
    "silent connect": (b"", b"", 1.0),
    "half a request line": (b"GET /he", b"", 1.0),
    "a header line a second": (b"GET / HTTP/1.1\r\n", b"X-Slow: 1\r\n", 1.0),
    "body never comes": (BODY, b"", 1.0),
    "a byte of body every 5 s": (BODY, b"x", 5.0),
}


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def run_server(port: int, is_plain: bool) -> None:
    app: ASGIApp = Starlette(routes=[Route("/", echo, methods=["POST"])])
    if is_plain:
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
    else:
        app = wrapped(app, web_stack(Settings()))
        serve(app, host="127.0.0.1", port=port, settings=Settings(), log_level="error")


async def seconds_held(port: int, opening: bytes, piece: bytes, pause: float) -> tuple[float, str]:
    """How long the connection stayed open, and the status line that ended it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opened = monotonic()
    writer.write(opening)
    answer = asyncio.create_task(reader.read())
    while monotonic() - opened < WATCH_SECONDS:
        done, _ = await asyncio.wait([answer], timeout=pause)
        if done:
            break
        writer.write(piece)
    held = monotonic() - opened
    status = answer.result().partition(b"\r\n")[0].decode() if answer.done() else "still open"
    answer.cancel()
    writer.close()
    return held, status


async def measure(port: int) -> None:
    held = await asyncio.gather(*(seconds_held(port, *pattern) for pattern in PATTERNS.values()))
    for name, (seconds, status) in zip(PATTERNS, held, strict=True):
        print(f"{name:26} {seconds:6.1f} s  {status}")


def wait_until_open(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            continue
        return


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = multiprocessing.Process(target=run_server, args=(port, "--plain" in sys.argv))
    server.start()
    try:
        wait_until_open(port)
        asyncio.run(measure(port))
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
