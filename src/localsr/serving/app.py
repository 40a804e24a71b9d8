"""The application: API, page, health and metrics over one pool of workers and one store of pictures."""

from __future__ import annotations

import asyncio
import contextlib
import json
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
from localsr.conditions import Adjustment
from localsr.serving import api, reference, schemas
from localsr.serving.guard import COOKIE_NAME, Guard, cookie_value, problem_response, same_secret
from localsr.serving.messages import OpenTask, PictureFacts
from localsr.serving.monitoring import ServiceMetrics
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.settings import Settings
from localsr.serving.store import Store, StoredPicture, clean_name

PAGE_FOLDER = Path(__file__).with_name("page")
SWEEP_SECONDS = 5.0  # between looks for pictures that nobody uses
SIGN_IN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>localsr</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><h1>localsr</h1>{}<form method="post" action="login">
<input name="username" value="localsr" autocomplete="username" hidden>
<label>Token <input type="password" name="token" autocomplete="current-password" autofocus required></label>
<button>Sign in</button></form></html>"""
WRONG_TOKEN = '<p role="alert">That is not this service\'s token; whoever started it has it.</p>'
SIGN_IN_HEADERS = {"referrer-policy": "same-origin"}  # without a referrer a browser says that the form came from "null"


class Application(FastAPI):
    """FastAPI, whose shapes have their titles as names in OpenAPI: clients know them by these."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        if self.openapi_schema is None:
            described = super().openapi()
            shapes = described["components"]["schemas"]
            described["components"]["schemas"] = dict(sorted((shape["title"], shape) for shape in shapes.values()))
            text = json.dumps(described)
            for name, shape in shapes.items():
                text = text.replace(f'schemas/{name}"', f'schemas/{shape["title"]}"')
            self.openapi_schema = json.loads(text)
        return self.openapi_schema


class Service:
    """An application and what it holds while it runs."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        """Put it together; nothing runs before `start`. Pictures lie in the pool's folder."""
        self.settings, self.pool, self.ending = settings, pool, False
        self.store = Store(pool.folder, settings.limits, pool.forget)
        self.metrics = ServiceMetrics()
        self.picture: StoredPicture | None = None
        if settings.photo is not None:
            self.picture = StoredPicture(settings.photo, clean_name(settings.photo.name), settings.tolerant, own=False)
        self._sweeping: asyncio.Task[None] | None = None
        self._add_gauges()

    async def start(self) -> None:
        """Open the picture that the page is to show, once a worker has started; `Problem` where that fails."""
        self._sweeping = asyncio.create_task(self._sweep())
        if self.picture is not None:
            self.picture.facts, folder = await self.pool.run(OpenTask(self.picture.file, "start"), PictureFacts)
            shutil.rmtree(folder, ignore_errors=True)
            self.store.add(self.picture)
        if self.settings.adjustment != Adjustment():
            networks = await self.pool.known_networks()
            if not any(network.conditioned for network in networks):
                names = " nor ".join(network.name for network in networks)
                raise Problem(422, f"{names} cannot be told how much to denoise or to deblur; leave that out")

    async def stop(self) -> None:
        """Stop sweeping and end the workers."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self.pool.close()

    async def _sweep(self) -> None:
        """Drop pictures when their time is over, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.store.sweep()

    def _add_gauges(self) -> None:
        """Show the state of pool and store in the metrics."""
        gauge = self.metrics.gauge
        gauge("workers_ready", "Workers that are started", lambda: self.pool.ready)
        gauge("workers_busy", "Workers that have a job", lambda: self.pool.busy)
        gauge("worker_restarts", "Workers that died or were stopped", lambda: self.pool.restarts)
        gauge("queue", "Requests that wait for a worker", lambda: self.pool.waiting)
        gauge("pictures", "Pictures at hand", lambda: len(self.store))
        gauge("picture_bytes", "Bytes of uploaded pictures on disk", lambda: self.store.bytes)

    def application(self) -> ASGIApp:
        """Return the ASGI application."""

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield
            await self.stop()

        app = Application(
            title="localsr",
            version=__version__,
            summary="Regions of pictures, restored with the whole picture as context",
            lifespan=lifespan,
            servers=[{"url": self.settings.root_path}] if self.settings.root_path else None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        _add_error_handlers(app, self.settings.root_path)
        started_on = None if self.picture is None else self.picture.id
        app.include_router(api.make_router(self.pool, self.store, started_on, self.settings.adjustment))
        self._add_health(app)
        reference.add_reference(app)
        if self.settings.token is not None:
            _add_sign_in(app, self.settings.token)
        if (PAGE_FOLDER / "index.html").is_file():
            app.mount("/", StaticFiles(directory=PAGE_FOLDER, html=True))
        guarded: ASGIApp = Guard(app, self.settings, self.metrics, self.pool, lambda: self.ending)
        if self.settings.origins:
            guarded = CORSMiddleware(
                guarded,
                allow_origins=self.settings.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Localsr-Request", *api.FACT_HEADERS],
            )
        return guarded

    def _add_health(self, app: FastAPI) -> None:
        """Add what is asked by whoever looks after the service."""

        @app.get("/healthz", response_model=schemas.HealthAnswer, responses=schemas.refusals())
        async def healthz() -> dict[str, str]:
            """Answer as long as the service lives."""
            return {"status": "alive"}

        @app.get("/readyz", response_model=schemas.HealthAnswer, responses=schemas.refusals(503))
        async def readyz() -> dict[str, str]:
            """Answer whether it can take work."""
            if self.ending or not self.pool.ready:
                why = "the service is ending" if self.ending else "no worker is ready yet"
                raise Problem(503, f"{why}; ask again in a moment", retry=2)
            return {"status": "ready"}

        text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

        @app.get("/metrics", response_class=Response, responses=text | schemas.refusals())
        async def metrics() -> Response:
            """Return numbers in the format of Prometheus."""
            return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_error_handlers(app: FastAPI, root_path: str) -> None:
    """Answer every error with a sentence."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return problem_response(error, request.state.id)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        sentence = f"the request is not as it should be: {first}".encode(errors="replace").decode()[:1000]
        return problem_response(Problem(422, sentence, kind="ConfigError"), request.state.id)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        nothing = f"there is nothing here; {root_path}/api lists what there is"
        sentences = {404: nothing, 405: "this method is not for this address"}
        sentence = sentences.get(error.status_code, error.detail)
        answer = problem_response(Problem(error.status_code, sentence), request.state.id)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)  # which nobody reads but the log


def _add_sign_in(app: FastAPI, token: str) -> None:
    """Add the page that takes a token and answers with a cookie for it."""

    @app.get("/login", response_class=HTMLResponse, include_in_schema=False)
    async def form() -> HTMLResponse:
        return HTMLResponse(SIGN_IN_PAGE.format(""), headers=SIGN_IN_HEADERS)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        given = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0]
        if not same_secret(given.strip(), token):
            return HTMLResponse(SIGN_IN_PAGE.format(WRONG_TOKEN), 401, headers=SIGN_IN_HEADERS)
        answer = RedirectResponse("./", 303)
        secure = request.headers.get("origin", "").startswith("https:")  # of a proxy that speaks TLS
        # without a path, a cookie is for the folder of this one, below whatever a proxy has put before it
        answer.set_cookie(COOKIE_NAME, cookie_value(token), httponly=True, samesite="strict", secure=secure, path=None)
        return answer
