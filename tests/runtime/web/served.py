"""A small application for the tests that need a real server; run as a script, settings by TILTH_*."""

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tilth.runtime.web.health import health_routes
from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.problem import exception_handlers
from tilth.runtime.web.server import serve
from tilth.settings import load_settings


async def echo(request: Request) -> Response:
    return JSONResponse({"received": len(await request.body())})


async def headers(request: Request) -> Response:
    await request.body()
    return JSONResponse(sorted(request.headers.keys()))


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return JSONResponse("done")


async def ignore(request: Request) -> Response:
    return JSONResponse("not read")


async def large(request: Request) -> Response:
    return Response(b"x" * 64 * 1024 * 1024)


async def endless(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("after", "0")))
    return StreamingResponse(ticks(), media_type=request.query_params["type"])


async def boom(request: Request) -> Response:
    raise LookupError("secret detail")


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "data: tick\n\n"
        await asyncio.sleep(0.05)


def main() -> None:
    settings = load_settings(os.environ)
    handlers = exception_handlers()
    routes = [
        Route("/echo", echo, methods=["POST"]),
        Route("/headers", headers, methods=["POST"]),
        Route("/slow", slow, methods=["GET", "POST"]),
        Route("/ignore", ignore, methods=["POST"]),
        Route("/large", large),
        Route("/endless", endless),
        Route("/boom", boom),
        *health_routes({}),
    ]
    app = wrapped(Starlette(routes=routes, exception_handlers=handlers), web_stack(settings))
    serve(app, host="127.0.0.1", port=0, settings=settings)


if __name__ == "__main__":
    main()
