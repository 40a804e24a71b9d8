"""What every request passes, before and after the API: who may ask, how slowly, and what is logged of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localsr.serving.connection import DISCARD_PAUSE, DISCARD_SECONDS
from localsr.serving.monitoring import ServiceMetrics
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.settings import LOOPBACK, MIB, Limits, Settings, is_loopback

log = logging.getLogger("localsr.serving")
UPLOAD_PATH = "/api/v1/pictures"
MAX_FIELD_BYTES = 2**14  # bytes of a body of JSON that has no boxes
MAX_BOX_BYTES = 2**8  # bytes of JSON for each box that may be asked for; four sides of ten digits, indented, have 170
MAX_FORM_BYTES = 2**12  # bytes of the form that anyone may send to sign in
MAX_QUERY_BYTES = 2**12  # bytes behind an address's `?`: 30 kB of names take 16 ms to parse
MAX_HEAD_BYTES = 2**15  # bytes of an address and its headers; a browser's cookies of all that runs on localhost fit
REFUSAL_SECONDS = 0.02  # before a stranger's refusal: who asks on and on is heard 50 times a second
PUBLIC_PATHS = ("/healthz", "/readyz", "/login")  # without a token
COOKIE_NAME = "localsr"
PASSED_HEADERS = (  # what the application reads: FastAPI would parse any cookie, 31 kB of quotes in 1.4 s
    b"host",
    b"origin",
    b"content-type",
    b"content-length",
    b"if-none-match",
    b"if-modified-since",
)
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """An ASGI application around another: lets requests through, refuses them, logs and counts them."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: ServiceMetrics,
        pool: Pool,
        is_ending: Callable[[], bool],
    ) -> None:
        """Guard `app`, whose work is done by `pool`."""
        self._app, self._settings, self._metrics = app, settings, metrics
        self._pool, self._is_ending = pool, is_ending
        self._root = unquote(settings.root_path)
        self._cookie = "" if settings.token is None else cookie_value(settings.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, key = time.perf_counter(), secrets.token_hex(8)
        path = scope["path"]
        if self._root and path.startswith(f"{self._root}/"):  # of a proxy that leaves it; others take it off
            path = path.removeprefix(self._root)
        passed = [(name, value) for name, value in scope["headers"] if name in PASSED_HEADERS]
        inner = {**scope, "path": path, "headers": passed, "state": {**scope.get("state", {}), "id": key}}
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"localsr-request", key.encode()), *self._headers(message)]
            await send(message)

        try:
            if self._root and path == self._root:  # links are relative, so the page needs the slash
                await RedirectResponse(f"{path.rpartition('/')[2]}/", 308)(scope, receive, answer)
                return
            await self._check(path, scope)
            if path.startswith(f"{UPLOAD_PATH}/") and path.count("/") > UPLOAD_PATH.count("/") + 1:
                self._pool.check_queue()  # before the request is parsed: a crowd is to hear it at once
            body = BoundedBody(path, scope, receive, self._settings.limits)
            await body.check()
            await self._app(inner, body.receive, answer)
        except Problem as problem:
            page = problem.status == 401 and path == "/"  # a person, who can sign in
            refused: Response = RedirectResponse("login", 303) if page else problem_response(problem, key)
            await refused(scope, receive, answer)
        except Exception:
            log.exception("request %s", key)
            if not status:
                fault = Problem(500, "a fault of the service; its log tells more")
                await problem_response(fault, key)(scope, receive, answer)
        finally:
            self._pool.dismiss(key)
            spent = time.perf_counter() - began
            self._metrics.count(inner, status, spent)
            log.info("%s %s %s %d %.0f ms", key, scope["method"][:20], ascii(path[:200])[1:-1], status, 1e3 * spent)

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        """Return the headers that an answer lacks and every answer has."""
        known = {name for name, _ in message["headers"]}
        wanted = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            **({"connection": "close"} if self._is_ending() else {}),
        }
        return [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in known]

    async def _check(self, path: str, scope: Scope) -> None:
        """Raise `Problem` for a request that may not be made, after a moment."""
        try:
            self._judge(path, scope)
        except Problem:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise

    def _judge(self, path: str, scope: Scope) -> None:
        """Raise `Problem` for a request that may not be made: from its size, its Host, its site, its token."""
        size = (
            len(path)
            + len(scope.get("query_string", b""))
            + sum(len(name) + len(value) for name, value in scope["headers"])
        )
        if size > MAX_HEAD_BYTES:  # h11 bounds only a part
            sentence = f"the address and the headers have more than {MAX_HEAD_BYTES // 1024} KiB, the limit; send less"
            raise Problem(431, sentence)
        if len(scope.get("query_string", b"")) > MAX_QUERY_BYTES:
            sentence = f"the address has more than {MAX_QUERY_BYTES // 1024} KiB after its ?, the limit; send less"
            raise Problem(414, sentence)
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Problem(400, "the body has two lengths, by transfer-encoding and content-length; send one")
        host = headers.get("host", [""])
        if len(host) != 1 or not self._is_ours(host[0]):
            raise Problem(400, "the Host header names another machine than this; --allow-host NAME allows one")
        site = headers.get("sec-fetch-site", [""])  # what a browser says of the page that asks; no page can change it
        for origin in headers.get("origin", []):
            known = origin in self._settings.origins or _comes_from(origin, host[0])
            if not known and site != ["same-origin"]:  # of a proxy that asks us by another name than it has itself
                raise Problem(403, "pages of other sites may not ask; --allow-origin https://SITE allows one")
        if site[0] == "cross-site" and not headers.get("origin"):
            if path.startswith("/api/"):
                raise Problem(403, "pages of other sites may not show these pictures")
        if self._settings.token is not None and path not in PUBLIC_PATHS and not self._has_token(headers):
            sign_in = f"{self._settings.root_path}/login"
            raise Problem(401, f"a token is needed: Authorization: Bearer TOKEN, or sign in at {sign_in}")

    def _has_token(self, headers: dict[str, list[str]]) -> bool:
        """Return whether a request brings the token, or the cookie that was given for it."""
        for value in headers.get("authorization", []):
            scheme, _, given = value.partition(" ")
            if scheme.lower() == "bearer" and same_secret(given.strip(), self._settings.token or ""):
                return True
        for value in headers.get("cookie", []):
            for pair in value.split(";"):  # http.cookies takes quadratic time for some
                name, _, given = pair.strip().partition("=")
                if name == COOKIE_NAME and same_secret(given, self._cookie):
                    return True
        return False

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this service: a name that others control would let their pages in."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            int(urlsplit(f"//{host}").port or 0)
        except ValueError:
            return False
        if "@" in host or "/" in host or "?" in host or "#" in host or "\\" in host:
            return False
        if name in {*LOOPBACK, self._settings.host.lower(), *(h.lower() for h in self._settings.hosts)}:
            return True
        try:
            return not is_loopback(self._settings.host) and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _comes_from(origin: str, host: str) -> bool:
    """Return whether an Origin header, whatever is in it, names a host."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


class BoundedBody:
    """A request's body as it comes: bounded in bytes and in time."""

    def __init__(self, path: str, scope: Scope, receive: Receive, limits: Limits) -> None:
        """Bound the body of a request: that of an upload by its limit, that of any other as JSON."""
        self._receive, self._seconds = receive, limits.body_seconds
        headers = dict(scope["headers"])
        self._declared, self._expects = int(headers.get(b"content-length", 0)), b"expect" in headers
        self._max_bytes = {UPLOAD_PATH: limits.body * MIB, "/login": MAX_FORM_BYTES}.get(
            path, MAX_FIELD_BYTES + limits.boxes * MAX_BOX_BYTES
        )
        self._count, self._done = 0, False
        self._until = asyncio.get_running_loop().time() + self._seconds

    async def check(self) -> None:
        """Raise `Problem` for a body whose header says that it is too large, before it is read."""
        if self._declared > self._max_bytes:
            if not self._expects:  # else the client sends nothing before it is told to
                await self._discard()
            raise Problem(413, self._too_large())

    async def receive(self) -> Message:
        """Return the next part; 408 for a body that is too slow, 413 for one that is too large."""
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body took longer than {self._seconds:g} s, the limit") from None
        self._count += len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._count > self._max_bytes:
            await self._discard()
            raise HTTPException(413, self._too_large())
        return message

    def _too_large(self) -> str:
        """Return what is said of a body that is too large."""
        size = f"{self._max_bytes // MIB} MiB" if self._max_bytes >= MIB else f"{self._max_bytes // 1024} KiB"
        return f"the body has more than {size}, the limit; send less"

    async def _discard(self) -> None:
        """Read on for a moment: a client that is cut off while it sends sees a broken connection, not the reason."""
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self._done:
                    self._done = not (await self._receive()).get("more_body", False)
                    await asyncio.sleep(DISCARD_PAUSE)
        except TimeoutError:
            return


def problem_response(problem: Problem, key: str) -> JSONResponse:
    """Return the answer to a request that is refused."""
    headers = {} if problem.retry is None else {"retry-after": str(problem.retry)}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if problem.status in (400, 408, 413, 414, 431):  # what follows on the connection is not to be trusted, or too much
        headers["connection"] = "close"
    content = {"error": problem.sentence, "kind": problem.kind, "request": key}
    return JSONResponse(content, problem.status, headers)


def cookie_value(token: str) -> str:
    """Return the value of the page's cookie: it proves the token without holding it."""
    return hmac.new(token.encode(), b"localsr page", hashlib.sha256).hexdigest()


def same_secret(one: str, other: str) -> bool:
    """Return whether secrets are equal, in a time that tells nothing of them."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
