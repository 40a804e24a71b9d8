"""Who may ask the service: by which name, from which site, with which token."""

import asyncio
import re
import tempfile
import time

import httpx
import pytest
from starlette.requests import Request
from typer.testing import CliRunner

from localsr.cli import app
from localsr.errors import ConfigError
from localsr.files import lock_folder
from localsr.serving import server
from localsr.serving.api import PictureWork
from localsr.serving.app import Service
from localsr.serving.guard import cookie_value
from localsr.serving.messages import TileTask
from localsr.serving.problems import Problem
from localsr.serving.server import scratch_folder
from localsr.serving.settings import Limits, Settings
from localsr.serving.store import Store, StoredPicture, clean_name

TOKEN = "a-token-of-25-characters-x"


def asked(settings, folder, *requests):
    """The answers of a service that has no workers."""

    async def all_of_them():
        transport = httpx.ASGITransport(Service(settings, folder).application())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    return asyncio.run(all_of_them())


def status(settings, folder, headers, path="/api/v1/session", method="GET", **more):
    (answer,) = asked(settings, folder, (method, path, {"headers": headers, **more}))
    return answer.status_code


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("192.168.1.9", 400),
        ("127.0.0.1@evil.example", 400),
        ("evil.example#@localhost", 400),
        ("localhost:x", 400),
        ("", 400),
    ],
)
def test_host(tmp_path, host, expected):
    assert status(Settings(), tmp_path, {"Host": host}) == expected


def test_host_of_a_service_for_others(tmp_path):
    settings = Settings(host="0.0.0.0", token=TOKEN, hosts=("pictures.example",))
    for host, expected in (("pictures.example", 200), ("192.168.1.9:80", 200), ("evil.example", 400)):
        assert status(settings, tmp_path, {"Host": host, "Authorization": f"Bearer {TOKEN}"}) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:8000", 200),
        ("https://127.0.0.1:8000", 200),
        ("http://127.0.0.1:9999", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
        ("http://[", 403),
    ],
)
def test_origin(tmp_path, origin, expected):
    assert status(Settings(), tmp_path, {"Origin": origin}) == expected


def test_a_site_that_is_allowed(tmp_path):
    settings, site = Settings(origins=("https://site.example",)), {"Origin": "https://site.example"}
    preflight = {**site, "Access-Control-Request-Method": "POST"}
    one, two, other = asked(
        settings,
        tmp_path,
        ("GET", "/api/v1/session", {"headers": site}),
        ("OPTIONS", "/api/v1/pictures", {"headers": preflight}),
        ("GET", "/api/v1/session", {"headers": {"Origin": "https://evil.example"}}),
    )
    assert one.status_code == two.status_code == 200
    assert one.headers["access-control-allow-origin"] == "https://site.example"
    assert "Localsr-Box" in one.headers["access-control-expose-headers"]
    assert other.status_code == 403
    (plain,) = asked(Settings(), tmp_path, ("GET", "/api/v1/session", {}))
    assert "access-control-allow-origin" not in plain.headers


def test_pictures_are_not_shown_by_other_sites(tmp_path):
    assert status(Settings(), tmp_path, {"Sec-Fetch-Site": "cross-site"}, "/api/v1/pictures/x/tiles/0/0_0.jpg") == 403
    assert status(Settings(), tmp_path, {"Sec-Fetch-Site": "same-origin"}) == 200


def test_token(tmp_path):
    settings = Settings(token=TOKEN)
    for headers, expected in (
        ({}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer \xe9".encode("latin-1")}, 401),
        ({"Cookie": f"localsr={cookie_value(TOKEN)}"}, 200),
        ({"Cookie": f"localsr={TOKEN}"}, 401),
        ({"Cookie": "localsr="}, 401),
    ):
        assert status(settings, tmp_path, headers) == expected, headers
    assert status(settings, tmp_path, {}, "/") == 303  # to /login
    for path in ("/metrics", "/openapi.json", "/api", "/nothing"):
        assert status(settings, tmp_path, {}, path) == 401
    assert status(settings, tmp_path, {}, "/healthz") == 200
    assert status(settings, tmp_path, {}, "/readyz") == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": 'localsr="' + '\\"' * 30_500 + '"'},
        {"Cookie": "a=b;" * 60_000},
        {"Range": "bytes=" + "0-1," * 60_000},
        {"X": "y" * 2**15},
    ],
)
def test_large_headers_are_refused_before_they_are_parsed(tmp_path, headers):
    """Of the parsers that strangers reach: a cookie's was quadratic, 22 s for 61 kB."""
    began = time.perf_counter()
    assert status(Settings(token=TOKEN), tmp_path, headers) == 431
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("cookie", ["localsr=" + '\\"' * 15_000, 'localsr="' + "\\1" * 15_000, "localsr;" * 4_000])
def test_cookies_within_the_limit_take_no_time(tmp_path, cookie):
    """Of the parsers that strangers reach."""
    began = time.perf_counter()
    assert status(Settings(token=TOKEN), tmp_path, {"Cookie": cookie}) == 401
    assert time.perf_counter() - began < 2


def test_the_cookie_is_found_among_others(tmp_path):
    cookie = f'_xsrf="2|a;b"; localsr={cookie_value(TOKEN)}; theme=dark'
    assert status(Settings(token=TOKEN), tmp_path, {"Cookie": cookie}) == 200


def test_a_body_of_two_lengths_closes_the_connection(tmp_path):
    """Of requests that a proxy and this service could read differently."""
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "4"}
    (answer,) = asked(Settings(), tmp_path, ("POST", "/api/v1/pictures", {"headers": headers, "content": b"1234"}))
    assert (answer.status_code, answer.headers["connection"]) == (400, "close")


def test_health_answers_head(tmp_path):
    """Of what load balancers ask."""
    assert status(Settings(token=TOKEN), tmp_path, {}, "/healthz", "HEAD") == 200
    assert status(Settings(token=TOKEN), tmp_path, {}, "/readyz", "HEAD") == 503


@pytest.mark.parametrize(("path", "limit"), [("/api/v1/pictures", 2**20), ("/login", 2**14), ("/api/v1/x", 2**20)])
def test_a_declared_length_beyond_the_limit_is_refused_before_the_body(tmp_path, path, limit):
    """Of uploads that count from their first byte."""
    read, sent = [], []
    headers = {"Content-Length": str(limit + 1), "Expect": "100-continue", "Authorization": f"Bearer {TOKEN}"}
    settings = Settings(token=TOKEN, limits=Limits(body=1))

    async def ask():
        async def receive():
            read.append(1)
            return {"type": "http.request", "body": b"", "more_body": True}

        async def send(message):
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in {**headers, "Host": "localhost"}.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
        await Service(settings, tmp_path).application()(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert not read


def test_uploads_under_way_count(tmp_path):
    """Of uploads that count from their first byte: by number, by bytes, and against pictures that lie there."""
    dropped = []
    store = Store(tmp_path, Limits(disk=2, body=1, uploads=2), dropped.append)
    old = store.new("old")
    old.path.write_bytes(b"x")
    old.bytes = 2**20
    store.add(old)
    with store.reserve(2**20):
        assert not dropped
        with store.reserve(None):
            assert dropped == [old.id]
            with pytest.raises(Problem, match="2 uploads are under way") as crowded:
                store.reserve(1).__enter__()
            assert crowded.value.status == 429
    with store.reserve(2**20 + 1), pytest.raises(Problem, match="1 uploads are under way"):
        store.reserve(2**20).__enter__()
    with pytest.raises(Problem, match="2 MiB, the limit of all pictures") as large:
        store.reserve(2**21 + 1).__enter__()
    assert large.value.status == 413


def test_sign_in(tmp_path):
    settings = Settings(token=TOKEN)
    form, wrong, right = asked(
        settings,
        tmp_path,
        ("GET", "/login", {}),
        ("POST", "/login", {"data": {"token": "<script>"}}),
        ("POST", "/login", {"data": {"token": TOKEN}}),
    )
    assert "<form" in form.text
    assert wrong.status_code == 401
    assert "script>" not in wrong.text
    assert "set-cookie" not in wrong.headers
    assert (right.status_code, right.headers["location"]) == (303, "/")
    given = right.headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert TOKEN not in given
    assert status(settings, tmp_path, {"Cookie": given.partition(";")[0]}) == 200


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 can be reached from other machines"):
        Settings(host="0.0.0.0")
    with pytest.raises(ConfigError, match="16 ASCII characters"):
        Settings(token="short")
    with pytest.raises(ConfigError, match="the limit boxes is 0"):
        Limits(boxes=0)
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"], env={"LOCALSR_TOKEN": ""})
    assert result.exit_code == 2
    assert "a token is needed" in result.stderr
    result = CliRunner().invoke(app, ["view", str(tmp_path / "none.jpg"), "--no-browser"])
    assert result.exit_code == 2
    assert "is no file" in result.stderr


def test_clients_know_the_shapes_by_their_names(tmp_path):
    (answer,) = asked(Settings(), tmp_path, ("GET", "/openapi.json", {}))
    shapes = answer.json()["components"]["schemas"]
    ours = set(shapes) - {"HTTPValidationError", "ValidationError"}  # FastAPI's
    requests, answers = {"Asked", "BoxSides", "Look", "Paste", "Restore"}, {"Attention", "Bill", "Health", "Network"}
    assert ours == requests | answers | {"Patch", "Picture", "Refusal", "Session", "Tiles"}
    assert set(re.findall(r'schemas/(\w+)"', answer.text)) <= set(shapes)


def test_every_limit_has_an_option():
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).stdout
    for default in ("64", "100", "1000", "200", "10.0", "30.0", "60.0", "600.0", "4096", "1024", "32", "4000"):
        assert f"[default: {default}]" in shown


def test_names_from_outside_are_text():
    assert clean_name("../../etc/passwd\n\x1b[2J\u202ex\x00") == "../../etc/passwd [2J x"
    assert clean_name("\ud800") == "?"
    assert clean_name(" \n") == "picture"
    assert len(clean_name("x" * 10_000)) == 200


def test_pictures_are_dropped_by_age_and_by_size(tmp_path):
    dropped = []
    store = Store(tmp_path, Limits(disk=1, keep=100), dropped.append)
    pictures = []
    for n in range(3):
        picture = store.new(f"{n}")
        picture.path.write_bytes(b"x")
        picture.bytes = 400_000
        store.add(picture)
        pictures.append(picture)
    assert dropped == [pictures[0].id]
    assert not pictures[0].path.exists()
    pictures[1].used -= 101
    own = tmp_path / "own.jpg"
    own.write_bytes(b"x")
    store.add(StoredPicture(own, "own", own=False, used=0.0))
    store.sweep()
    assert dropped == [pictures[0].id, pictures[1].id]
    assert own.exists()
    assert len(store) == 2


def test_a_picture_that_is_dropped_while_work_waits_is_not_found(tmp_path):
    store = Store(tmp_path, Limits(), lambda key: None)
    picture = store.new("a")
    store.add(picture)

    class Crowded:
        limits = Limits()

        async def run(self, task, result):
            if store._pictures:
                store.remove(picture.id)
            raise Problem(422, "picture cannot be read: No such file or directory")

    async def ask():
        request = Request({"type": "http"}, asyncio.Event().wait)
        await PictureWork(Crowded(), store).run(request, TileTask(picture.file, "1", 0, 0, 0), type(None))

    with pytest.raises(Problem) as refusal:
        asyncio.run(ask())
    assert refusal.value.status == 404


def test_what_a_killed_service_has_left_is_removed_by_the_next(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("dead", "living"):
        (tmp_path / f"localsr-serving-{name}").mkdir()
        (tmp_path / f"localsr-serving-{name}/picture").write_bytes(b"pixels")
    (tmp_path / "mine").mkdir()
    (tmp_path / "localsr-serving-link").symlink_to(tmp_path / "mine")
    (tmp_path / "localsr-serving-file").touch()
    with lock_folder(tmp_path / "localsr-serving-living"), scratch_folder() as folder:
        assert folder.parent == tmp_path
        kept = {"localsr-serving-living", "mine", "localsr-serving-link", "localsr-serving-file"}
        assert {path.name for path in tmp_path.iterdir()} == kept | {folder.name}
        with scratch_folder() as other:
            assert folder.is_dir()
            assert other != folder
    assert not folder.exists()


def test_a_scratch_folder_is_locked_before_it_has_a_name_that_others_sweep(tmp_path, monkeypatch) -> None:
    """Of folders that two processes reach for at once."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = []
    monkeypatch.setattr(server, "lock_folder", lambda folder: names.append(folder.name) or lock_folder(folder))
    with scratch_folder() as folder:
        assert folder.name.startswith(server.SCRATCH_PREFIX)
        assert not [name for name in names if name.startswith(server.SCRATCH_PREFIX)]
    assert not list(tmp_path.iterdir())
