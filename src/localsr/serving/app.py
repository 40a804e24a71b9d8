"""The application: API, page, health and metrics over one pool of workers and one store of pictures."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from localsr import __version__
from localsr.serving import api, reference, schemas
from localsr.serving.guard import COOKIE, Guard, cookie, refusal, same
from localsr.serving.limits import Settings
from localsr.serving.metrics import Metrics
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.store import Picture, Store

PAGE = Path(__file__).with_name("page")
SWEEP = 5.0  # s between looks for pictures that nobody uses
SIGN_IN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>localsr</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<h1>localsr</h1>{}<form method="post" action="/login">
<label>Token <input type="password" name="token" autocomplete="current-password" autofocus required></label>
<button>Sign in</button></form></html>"""
WRONG = '<p role="alert">That is not this service\'s token; whoever started it has it.</p>'
SENT = {"referrer-policy": "same-origin"}  # without a referrer a browser says that the form came from "null"


class Service:
    """An application and what it holds while it runs."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Put it together; nothing runs before `start`. Pictures lie in `folder`, which is its own."""
        limits = settings.limits
        work = {
            "networks": settings.networks,
            "runtime": settings.runtime,
            "memory": limits.memory,
            "megapixels": limits.megapixels,
            "output": limits.output,
        }
        self.settings, self.ending = settings, False
        self.pool = Pool(settings.processes, limits, work, folder)
        self.store = Store(folder, limits, self.pool.forget)
        self.metrics = Metrics()
        self.picture: Picture | None = None
        if settings.photo is not None:
            self.picture = Picture(settings.photo, settings.photo.name, own=False)
        self._sweeping: asyncio.Task[None] | None = None
        self._gauges()

    async def start(self) -> None:
        """Start the workers, and open the picture that the page is to show; `Problem` where it cannot be."""
        self.pool.start()
        self._sweeping = asyncio.create_task(self._sweep())
        if self.picture is not None:
            self.picture.facts, folder = await self.pool.run({"do": "open", "picture": self.picture.job})
            shutil.rmtree(folder, ignore_errors=True)
            self.store.add(self.picture)

    async def stop(self) -> None:
        """End the workers."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self.pool.close()

    async def _sweep(self) -> None:
        """Drop pictures when their time is over."""
        while True:
            await asyncio.sleep(SWEEP)
            self.store.sweep()

    def _gauges(self) -> None:
        """Tell the state of pool and store."""
        gauge = self.metrics.gauge
        gauge("workers_ready", "Workers that are started", lambda: self.pool.ready)
        gauge("workers_busy", "Workers that have a job", lambda: self.pool.busy)
        gauge("worker_restarts", "Workers that died or were stopped", lambda: self.pool.restarts)
        gauge("queue", "Requests that wait for a worker", lambda: self.pool.waiting)
        gauge("pictures", "Pictures at hand", lambda: len(self.store))
        gauge("picture_bytes", "Bytes of uploaded pictures on disk", lambda: self.store.bytes)

    def application(self) -> ASGIApp:
        """Give the ASGI application."""

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield
            await self.stop()

        app = FastAPI(
            title="localsr",
            version=__version__,
            summary="Regions of pictures, restored with the whole picture as context",
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        _errors(app)
        app.include_router(api.router(self.pool, self.store, None if self.picture is None else self.picture.id))
        self._health(app)
        reference.add(app)
        if self.settings.token is not None:
            _sign_in(app, self.settings.token)
        if (PAGE / "index.html").is_file():
            app.mount("/", StaticFiles(directory=PAGE, html=True))
        guarded: ASGIApp = Guard(app, self.settings, self.metrics, self.pool.admit, lambda: self.ending)
        if self.settings.origins:
            guarded = CORSMiddleware(
                guarded,
                allow_origins=self.settings.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Localsr-Request", *api.FACTS],
            )
        return guarded

    def _health(self, app: FastAPI) -> None:
        """Add what those ask who look after the service."""

        @app.get("/healthz", response_model=schemas.Health, responses=schemas.refusals())
        async def healthz() -> dict[str, str]:
            """Tell that the service lives."""
            return {"status": "alive"}

        @app.get("/readyz", response_model=schemas.Health, responses=schemas.refusals(503))
        async def readyz() -> dict[str, str]:
            """Tell whether it can take work."""
            if self.ending or not self.pool.ready:
                what = "the service is ending" if self.ending else "no worker is ready yet"
                raise Problem(503, f"{what}; ask again in a moment", retry=2)
            return {"status": "ready"}

        text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

        @app.get("/metrics", response_class=Response, responses=text | schemas.refusals())
        async def metrics() -> Response:
            """Give numbers in Prometheus' format."""
            return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _errors(app: FastAPI) -> None:
    """Let every error become a sentence."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return refusal(error, request.state.id)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        sentence = f"the request is not as it should be: {told}".encode(errors="replace").decode()[:1000]
        return refusal(Problem(422, sentence, kind="ConfigError"), request.state.id)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        told = {404: "there is nothing here; /api lists what there is", 405: "this method is not for this address"}
        answer = refusal(Problem(error.status_code, told.get(error.status_code, error.detail)), request.state.id)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)  # which nobody reads but the log


def _sign_in(app: FastAPI, token: str) -> None:
    """Add the page that takes a token and gives a cookie for it."""

    @app.get("/login", response_class=HTMLResponse, include_in_schema=False)
    async def form() -> HTMLResponse:
        return HTMLResponse(SIGN_IN.format(""), headers=SENT)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        given = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0]
        if not same(given.strip(), token):
            return HTMLResponse(SIGN_IN.format(WRONG), 401, headers=SENT)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, cookie(token), httponly=True, samesite="strict", secure=secure, path="/")
        return answer
