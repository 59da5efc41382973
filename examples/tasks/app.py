"""Each user's own tasks, listed, added, completed and removed; JSON or HTML, as the client asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Auth, Policy, Scope, Tilth, me, signed_in
from tilth.errors import BadRequest, Invalid, Unauthenticated
from tilth.features.auth.settings import Passwords

Show = Literal["all", "open", "done"]


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    is_done: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[str] = mapped_column(index=True)


# Short passwords are for trying this out: leave passwords= away for what others will use.
AUTH = Auth(
    passwords=Passwords(shortest=8, blocklist=False),
    aliases={"/auth/sign_up": "/auth/sign-up", "/auth/login": "/auth/token"},
)

TEMPLATES = Path(__file__).parent / "templates"
PAGES = Jinja2Templates(TEMPLATES)
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"


def counted(number: int, word: str) -> str:
    """The filter of the templates: 1 task, 2 tasks."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


PAGES.env.filters["counted"] = counted


def is_person(request: Request) -> bool:
    """A browser asks for HTML by name; programs do not."""
    return "text/html" in request.headers.get("accept", "")


async def caller(request: Request) -> Actor:
    """People who are not signed in are shown where to; programs are told."""
    actor: Actor = await request.app.actor(request)
    if not actor.is_signed_in:
        if is_person(request) and request.method == "GET":
            raise SignInFirst
        raise Unauthenticated("Sign in, or send credentials.")
    return actor


class SignInFirst(Exception):
    """A person who is not signed in: they are led to the page where they do."""


async def sign_in(request: Request, _: Exception) -> Response:
    return RedirectResponse(f"/sign-in?next={request.url.path}", 303)


async def sent(request: Request) -> dict[str, Any]:
    """A JSON object, or the fields of a form."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    found = await request.json()
    if not isinstance(found, dict):
        raise BadRequest("Send an object.")
    return found


Caller = Annotated[Actor, Depends(caller)]
Sent = Annotated[dict[str, Any], Depends(sent)]


def shown(task: Task) -> dict[str, Any]:
    return {"id": task.id, "title": task.title, "is_done": task.is_done}


routes = APIRouter()


async def filtered(scope: Scope, show: Show) -> list[Task]:
    """The tasks of whoever asks, newest first."""
    wanted = {"open": {"is_done": False}, "done": {"is_done": True}}.get(show, {})
    return await scope.objects(Task).filter(**wanted).order_by("is_done", "-id")


async def page(request: Request, scope: Scope, show: Show, problem: str | None = None) -> Response:
    words = {"tasks": await filtered(scope, show), "show": show, "problem": problem}
    headers = {"content-security-policy": POLICY, "vary": "Accept"}
    return PAGES.TemplateResponse(request, "tasks.html", words, 422 if problem else 200, headers)


@routes.get("/")
async def list_tasks(
    request: Request, _: Caller, scope: Scope, show: Annotated[Show, Query()] = "all"
) -> Response:
    if is_person(request):
        return await page(request, scope, show)
    found = [shown(task) for task in await filtered(scope, show)]
    return JSONResponse(found, headers={"vary": "Accept"})


@routes.post("/")
async def add_task(request: Request, _: Caller, body: Sent, scope: Scope) -> Response:
    """Takes `title`."""
    try:
        task = await scope.objects(Task).create(**body)
    except Invalid as problem:
        if is_person(request):
            return await page(request, scope, "all", problem.faults[0].detail)
        raise
    if is_person(request):
        return RedirectResponse("/", 303)
    return JSONResponse(shown(task), 201, {"location": f"/{task.id}"})


@routes.patch("/{task_id:int}")
async def change_task(task_id: int, _: Caller, body: Sent, scope: Scope) -> Response:
    """Takes `title` and `is_done`."""
    one = scope.objects(Task).filter(id=task_id)
    task = await one.get()
    await one.update(**body)
    return JSONResponse(shown(task))


@routes.delete("/{task_id:int}", status_code=204)
async def remove_task(task_id: int, _: Caller, scope: Scope) -> None:
    one = scope.objects(Task).filter(id=task_id)
    await one.get()
    await one.delete()


@routes.post("/{task_id:int}", include_in_schema=False)
async def act_on_task(task_id: int, _: Caller, body: Sent, scope: Scope) -> Response:
    """What forms do, which know only GET and POST: `act` is done, open or remove."""
    one = scope.objects(Task).filter(id=task_id)
    await one.get()
    match body.get("act"):
        case "remove":
            await one.delete()
        case "done" | "open" as state:
            await one.update(is_done=state == "done")
        case _:
            raise BadRequest("act is done, open or remove.")
    return RedirectResponse("/", 303)


@routes.get("/style.css", include_in_schema=False)
async def style() -> Response:
    text = (TEMPLATES / "style.css").read_text("utf-8")
    return Response(text, media_type="text/css")


def tasks(database: str = "sqlite:///tasks.db") -> Tilth:
    """The application over one database; tests make one for each of theirs."""
    app = Tilth(database, auth=AUTH, title="Tasks")
    mine = Task.owner_id == me.id
    app.expose(
        Task,
        Policy(read=mine, create=signed_in, update=mine, delete=mine, preset={"owner_id": me.id}),
    )
    app.include_router(routes)
    app.add_exception_handler(SignInFirst, sign_in)
    return app


app = tasks()
