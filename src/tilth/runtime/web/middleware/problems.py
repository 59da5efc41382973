"""The edge: what nothing further in has answered is answered here, in the one error format."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import ProblemError
from tilth.runtime.web.problem import problem_response, request_id_of, unexpected_response

logger = logging.getLogger("tilth.web")


class Problems:
    """Answers the errors that other middleware raises, and those that nothing handled.

    An unexpected error is answered and then raised again: the server logs it once, with its
    traceback and, as a note on it, the request it belongs to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def send_noticed(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        request_id = request_id_of(scope)
        try:
            await self.app(scope, receive, send_noticed)
        except ClientDisconnect:
            # Anybody can cause these at will: at a higher level they would fill the log.
            logger.debug("%s: the client went away before its body was read", request_id)
        except ProblemError as error:
            if started:
                raise
            await problem_response(error, request_id)(scope, receive, send)
        except Exception as error:
            error.add_note(f"While answering {scope['method']} {scope['path']!r} ({request_id=})")
            if not started:
                await unexpected_response(request_id)(scope, receive, send)
            raise
