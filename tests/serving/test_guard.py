"""Who may ask the service: by which name, from which site, with which token."""

import asyncio
import json
import re
import tempfile

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import Request
from typer.testing import CliRunner

from localsr.cli import app
from localsr.errors import ConfigError
from localsr.files import lock_folder
from localsr.serving import server
from localsr.serving.api import PictureWork
from localsr.serving.app import Service
from localsr.serving.guard import Guard, cookie_value
from localsr.serving.messages import TileTask
from localsr.serving.monitoring import ServiceMetrics
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.schemas import RestoreRequest
from localsr.serving.server import scratch_folder
from localsr.serving.settings import Limits, Settings
from localsr.serving.store import Store, StoredPicture, clean_name

TOKEN = "a-token-of-25-characters-x"


def asked(settings, folder, *requests):
    """The answers of a service that has no workers."""

    async def all_of_them():
        transport = httpx.ASGITransport(Service(settings, Pool(settings, folder)).application())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    return asyncio.run(all_of_them())


def idle_pool(folder):
    """A pool of one worker that is not started, and a queue of four."""
    return Pool(Settings(workers=1), folder)


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


def test_a_page_below_a_proxy_of_another_name(tmp_path):
    """Of proxies that ask by the service's own name: the browser says that page and service are one site."""
    origin = {"Origin": "https://hub.example"}
    assert status(Settings(), tmp_path, {**origin, "Sec-Fetch-Site": "same-origin"}) == 200
    for said in ("same-site", "cross-site", "none", ""):
        assert status(Settings(), tmp_path, {**origin, "Sec-Fetch-Site": said}) == 403
    rebound = {"Host": "hub.example", **origin, "Sec-Fetch-Site": "same-origin"}
    assert status(Settings(), tmp_path, rebound) == 400


def test_below_a_root_path(tmp_path):
    """Of proxies that leave their prefix on; with and without it, everything is there."""
    settings, bearer = Settings(token=TOKEN, root_path="/my%20lab/tool"), {"Authorization": f"Bearer {TOKEN}"}
    for path, expected in (
        ("/my%20lab/tool/api/v1/session", 200),
        ("/api/v1/session", 200),
        ("/my%20lab/tool/healthz", 200),
        ("/my%20lab/toolbox/healthz", 404),
        ("/my%20lab/tool/tool/healthz", 404),
        ("/other/healthz", 404),
    ):
        assert status(settings, tmp_path, bearer, path) == expected, path
    bare, page, refused, described, reference = asked(
        settings,
        tmp_path,
        ("GET", "/my%20lab/tool", {}),
        ("GET", "/my%20lab/tool/", {}),
        ("GET", "/my%20lab/tool/metrics", {}),
        ("GET", "/my%20lab/tool/openapi.json", {"headers": bearer}),
        ("GET", "/my%20lab/tool/api", {"headers": bearer}),
    )
    assert (bare.status_code, bare.headers["location"]) == (308, "tool/")
    assert (page.status_code, page.headers["location"]) == (303, "login")
    assert "sign in at /my%20lab/tool/login" in refused.json()["error"]
    assert described.json()["servers"] == [{"url": "/my%20lab/tool"}]
    assert re.findall("href='([^#][^']*)'", reference.text) == ["data:,", "openapi.json"]


def test_no_header_moves_the_service(tmp_path):
    """Of what a proxy may add and anyone can send: where the service lies is told by its option alone."""
    forwarded = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    (page,) = asked(Settings(token=TOKEN), tmp_path, ("GET", "/", {"headers": forwarded}))
    assert page.headers["location"] == "login"
    assert status(Settings(), tmp_path, forwarded, "/evil/healthz") == 404


@pytest.mark.parametrize(
    "path", ["tool", "/tool/", "/a//b", "/..", "/a/./b", "/api", "/login/x", "/a?b", "/a:b", "/\xe4"]
)
def test_root_paths_that_cannot_be(path):
    with pytest.raises(ConfigError, match="the root path is"):
        Settings(root_path=path)


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
    assert status(Settings(token=TOKEN), tmp_path, headers) == 431


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/api/v1/session", {"Cookie": 'localsr="' + '\\"' * 15_000 + '"'}, 401),
        ("/healthz", {"Cookie": 'localsr="' + '\\"' * 15_000 + '"'}, 200),
        ("/login", {"Cookie": 'localsr="' + '\\"' * 15_000 + '"'}, 200),
        ("/healthz", {"Cookie": 'localsr="' + "\\1" * 15_000 + '"'}, 200),
        ("/api/v1/session", {"Cookie": "localsr=;" * 3_000}, 401),
        ("/healthz", {"Range": "bytes=" + "0-1," * 7_000}, 200),
        ("/healthz", {"Accept-Language": "a;q=0.1," * 3_500}, 200),
        ("/healthz", {"If-None-Match": 'W/"a",' * 4_000}, 200),
        ("/healthz", {"Content-Type": "multipart/form-data;" + "a=b;" * 7_000}, 200),
        ("/healthz", {"Origin": "http://" + "[" * 30_000}, 403),
        ("/healthz?" + "a&" * 2_000, {}, 200),
        ("/healthz?" + "a&" * 15_000, {}, 414),
        ("/healthz?" + "a&" * 20_000, {}, 431),
    ],
)
def test_headers_up_to_the_limit_are_answered(tmp_path, path, headers, expected):
    """Of the parsers that strangers reach; `make service-hostile` measures what each of these costs."""
    assert status(Settings(token=TOKEN), tmp_path, headers, path) == expected


def test_only_headers_that_are_read_reach_the_application(tmp_path):
    """Of the parsers that strangers reach."""
    seen = []

    async def inner(scope, receive, send):
        seen.extend(name for name, _ in scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask():
        guard = Guard(inner, Settings(), ServiceMetrics(), idle_pool(tmp_path), lambda: False)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://127.0.0.1") as client:
            sent = {"Cookie": "a=b", "Range": "bytes=0-1", "If-None-Match": '"a"', "X-Forwarded-Proto": "https"}
            await client.post("/", headers=sent, json={})

    asyncio.run(ask())
    assert sorted(seen) == [b"content-length", b"content-type", b"host", b"if-none-match"]


def test_json_that_is_wrong_everywhere_is_told_of_its_first_fault(tmp_path):
    """Of the parsers that strangers reach: a megabyte of empty boxes took 12 s and 1.7 GB."""
    for boxes, faults in (([{}] * 5000, 4), ([1] * 5000, 1), ([], 1)):
        with pytest.raises(ValidationError) as found:
            RestoreRequest.model_validate({"boxes": boxes})
        assert found.value.error_count() == faults
    for wrong in ({str(n): 1 for n in range(20_000)}, {"boxes": [{str(n): 1 for n in range(20_000)}]}):
        with pytest.raises(ValidationError, match="there is no field '0'; there are") as found:
            RestoreRequest.model_validate(wrong)
        assert found.value.error_count() == 1
    headers = {"Content-Type": "application/json"}
    for content, expected in ((b'{"boxes":' + b"[" * 200_000, 400), (b"{" * 300_000, 413), (b'{"boxes":[{}]}', 422)):
        path = "/api/v1/pictures/none/restorations"
        assert status(Settings(), tmp_path, headers, path, "POST", content=content) == expected


def test_as_many_boxes_as_are_allowed_fit_the_body(tmp_path):
    box = {"left": 2**31 - 2, "top": 2**31 - 2, "right": 2**31 - 1, "bottom": 2**31 - 1}
    content = json.dumps({"boxes": [box] * 1000, "network": "x" * 200}, indent=8)
    headers = {"Content-Type": "application/json"}
    assert status(Settings(), tmp_path, headers, "/api/v1/pictures/none/cost", "POST", content=content) == 404


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


@pytest.mark.parametrize(
    ("path", "limit"), [("/api/v1/pictures", 2**20), ("/login", 2**12), ("/api/v1/x", 2**14 + 256_000)]
)
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
        await Service(settings, Pool(settings, tmp_path)).application()(scope, receive, send)

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


def test_requests_of_a_crowd_count_before_they_wait(tmp_path):
    """Of requests under way: all of a crowd that arrives at once were parsed before the first had its place."""
    picture, pool = StoredPicture(tmp_path / "x", "x").file, idle_pool(tmp_path)
    held = [pool.run(TileTask(picture, f"request {n}", 0, 0, 0), type(None)) for n in range(4)]
    with pytest.raises(Problem, match="4 requests wait already"):
        pool.run(TileTask(picture, "one too many", 0, 0, 0), type(None))
    pool.dismiss("request 0")  # whose client has left
    pool.check_queue()
    for each in held:
        each.close()


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
    assert (right.status_code, right.headers["location"]) == (303, "./")
    assert not re.search("Secure|Path=", right.headers["set-cookie"])  # for the folder of /login, wherever that is
    sent = {"data": {"token": TOKEN}, "headers": {"Origin": "https://127.0.0.1:8000"}}
    (by_tls,) = asked(settings, tmp_path, ("POST", "/login", sent))
    assert "; Secure" in by_tls.headers["set-cookie"]
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
    of_clips, of_conditions = {"Clip", "Frame", "Frames"}, {"Condition", "Conditions"}
    assert ours == requests | answers | of_clips | of_conditions | {"Patch", "Picture", "Refusal", "Session", "Tiles"}
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
