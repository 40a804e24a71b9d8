"""The service as a client meets it: a real process, its limits small, its networks tiny."""

import doctest
import http.client
import io
import json
import os
import signal
import socket
import time
import zipfile

import httpx
import numpy as np
import pytest
import service_endurance
import service_fuzz
import service_kill
import service_load
import service_slow
from networks import awake, save_told, tiny
from PIL import Image
from service import BOX, Service, photo

import localsr
import localsr.client
from localsr import images
from localsr.drawing.rings import ring_radius
from localsr.errors import BoxError, ConfigError, ImageError, ServiceError
from localsr.geometry import Box, Size, whole
from localsr.inference.paste import Pasting, paste
from localsr.inference.region_scene import RegionScene
from localsr.models import checkpoint
from localsr.remote_scene import RemoteScene
from localsr.serving.messages import OpenTask, PictureFile, TileTask, WorkerSettings
from localsr.serving.pictures import OVERVIEW_SIDE
from localsr.serving.tasks import TaskRunner

SMALL = ["--max-body", "1", "--max-megapixels", "1", "--max-boxes", "5", "--max-output", "4"]
EXACT = ["--precision", "fp32"]
SLOW = ["--header-timeout", "1", "--body-timeout", "2", "--read-timeout", "2", "--keep", "60"]


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nets")
    config = tiny()
    plain = checkpoint.save(
        folder / "plain.safetensors",
        awake(config.without_context()),
        checkpoint.Card("plain", config.without_context()),
    )
    card = checkpoint.Card("tiny", config, plain={"name": "plain", "sha256": plain.sha256})
    checkpoint.save(folder / "tiny.safetensors", awake(config), card)
    return folder / "tiny.safetensors"


@pytest.fixture(scope="module")
def service(net):
    with Service("--model", str(net), "--workers", "1", *SMALL, *SLOW, *EXACT, "--verbose") as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def viewed(net, tmp_path_factory):
    """A service that was started on a photo; the last test about it ends it."""
    path = tmp_path_factory.mktemp("photos") / "street <b>.png"
    path.write_bytes(photo(64, 48, "PNG"))
    with Service("--no-browser", "--model", str(net), "--workers", "1", *EXACT, command=("view", str(path))) as running:
        running.photo = path
        yield running


@pytest.fixture(scope="module")
def scene(net):
    return localsr.load(net).encode(localsr.read(photo(64, 48, "PNG")))


@pytest.fixture(scope="module")
def picture(service):
    return service.upload(photo(64, 48, "PNG"))


@pytest.fixture
def api(service):
    with httpx.Client(base_url=f"{service.url}/api/v1", timeout=60) as client:
        yield client


def sides(box):
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def pixels(data):
    found = images.read(data)
    return found.window(whole(found.size))


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    answered = answer.json()
    assert set(answered) == {"error", "kind", "request"}
    assert all(word in answered["error"] for word in words), answered
    assert answer.headers.get("localsr-request", answered["request"]) == answered["request"]
    assert "/tmp" not in answer.text
    assert "/work" not in answer.text


def test_session_and_networks(api):
    session = api.get("/session").json()
    assert session["picture"] is None
    assert session["limits"]["boxes"] == 5
    (network,) = api.get("/networks").json()
    assert (network["name"], network["scale"], network["default"]) == ("tiny", 4, True)
    assert network["strategies"] == ["crop", "halo", "clsr", "full"]
    assert (network["default_strategy"], network["attention"]) == ("clsr", True)


def test_a_picture_comes_and_goes(api):
    answer = api.post("/pictures", params={"name": "<b>\n../../x\x00\u202e"}, content=photo(64, 48, "PNG"))
    assert answer.status_code == 201
    answered = answer.json()
    assert (answered["width"], answered["height"], answered["depth"], answered["alpha"]) == (64, 48, 8, False)
    assert answered["name"] == "<b> ../../x"
    assert answered["tiles"] == {"size": 256, "levels": 7}
    assert api.get(f"/pictures/{answered['id']}").json() == answered
    assert api.delete(f"/pictures/{answered['id']}").status_code == 204
    refused(api.get(f"/pictures/{answered['id']}"), 404, "no such picture", "1 minutes")
    refused(api.delete(f"/pictures/{answered['id']}"), 404, "no such picture")


@pytest.mark.parametrize("box", [Box(11, 7, 34, 21), Box(0, 0, 64, 48), Box(63, 47, 64, 48)])
@pytest.mark.parametrize("strategy", [None, "crop", "halo", "full"])
def test_a_region_is_the_librarys(api, picture, scene, box, strategy):
    asked = {"boxes": [sides(box)], "strategy": strategy}
    answer = api.post(f"/pictures/{picture}/restorations", json=asked)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["localsr-box"] == f"{box.left},{box.top},{box.right},{box.bottom}"
    assert answer.headers["localsr-scale"] == "4"
    assert answer.headers["localsr-network"] == "tiny"
    assert answer.headers["localsr-strategy"] == (strategy or "clsr")
    assert answer.headers["localsr-precision"] == "fp32"
    assert float(answer.headers["localsr-seconds"]) > 0
    counted = scene.planned([box], strategy).gflops
    assert float(answer.headers["localsr-gflops"]) == pytest.approx(counted, abs=1e-4)
    expected = scene.restore(box, strategy).pixels
    assert np.abs(pixels(answer.content) - expected).max() <= 0.5 / 255 + 1e-4


def test_any_size(api, service, picture, scene):
    """Of sizes that no network gives: by the API and by a client, as by the library."""
    box = Box(11, 7, 36, 27)
    asked = {"boxes": [sides(box)]}
    answer = api.post(f"/pictures/{picture}/restorations", json=asked | {"scale": 1.5})
    assert float(answer.headers["localsr-scale"]) == 1.5
    assert np.abs(pixels(answer.content) - scene.restore(box, scale=1.5).pixels).max() <= 0.5 / 255 + 1e-4
    answer = api.post(f"/pictures/{picture}/restorations", json=asked | {"size": "75x"})
    assert (answer.headers["localsr-scale"], images.read(answer.content).size) == ("3", localsr.Size(75, 60))
    answer = api.post(f"/pictures/{picture}/paste", json=asked | {"size": "x120"})
    assert images.read(answer.content).size == localsr.Size(160, 120)
    assert api.get(f"/pictures/{picture}/bicubic", params=sides(box) | {"scale": 1.5}).status_code == 200
    with localsr.Client(service.url, scale=1.5) as client:
        remote = client.encode(scene.photo)
        assert (remote.scale, remote.restore(box).size) == (1.5, localsr.Size(38, 30))
        assert remote.restore(box, size="75x").scale == 3
    refused(api.post(f"/pictures/{picture}/restorations", json=asked | {"size": "999x"}), 422, "enlarged 39.96 times")
    refused(api.post(f"/pictures/{picture}/restorations", json=asked | {"scale": 5}), 422, "x4, not x5")
    refused(api.post(f"/pictures/{picture}/restorations", json=asked | {"size": "x"}), 422, "size")


def test_damaged_pictures_are_read_as_far_as_they_go(api, service):
    """Of truncated pictures beyond `restore`: the service and a client read them if asked to, and say so."""
    data = photo(64, 48, "JPEG")
    cut = data[: len(data) * 2 // 3]
    box = {"left": 0, "top": 0, "right": 64, "bottom": 48}
    strict = api.post("/pictures", content=cut)
    if strict.status_code == 201:
        assert strict.json()["notes"] == []
        refused(api.post(f"/pictures/{strict.json()['id']}/restorations", json={"boxes": [box]}), 422, "cannot be read")
    told = api.post("/pictures", params={"tolerant": "true"}, content=cut).json()
    assert told["notes"][0].startswith("the file is damaged: ")
    answer = api.post(f"/pictures/{told['id']}/restorations", json={"boxes": [box]})
    assert images.read(answer.content).provenance.source_damage in told["notes"][0]
    with localsr.Client(service.url) as client:
        remote = client.encode(localsr.read(cut, tolerant=True))
        assert remote.restore(Box(0, 0, 8, 8)).provenance.source_damage


def test_photos_go_to_a_service_as_their_files(service, tmp_path):
    """Of what a client sends: a photo's own file, whose metadata the service carries on, wherever it was read from."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.jpg", exif=exif, dpi=(100, 100))
    data = (tmp_path / "a.jpg").read_bytes()
    with localsr.Client(service.url) as client:
        for source in (tmp_path / "a.jpg", localsr.read(tmp_path / "a.jpg"), localsr.read(data), io.BytesIO(data)):
            assert client.encode(source)._data == data
    page = localsr.read(tmp_path / "a.jpg", page=1)  # which the service could not choose
    sent = localsr.read(localsr.client.encode_png(page))
    assert sent.metadata.density is not None
    assert sent.metadata.density.across == pytest.approx(100, abs=0.1)
    assert sent.provenance is None


def test_answers_as_avif(api, picture, scene):
    """Of formats out: AVIF by the API as by the command."""
    box = Box(0, 0, 20, 16)
    answer = api.post(f"/pictures/{picture}/restorations", json={"boxes": [sides(box)], "format": "avif"})
    assert answer.headers["content-type"] == "image/avif"
    found = images.read(answer.content)
    assert found.size == Size(80, 64)
    assert np.abs(found.window(whole(found.size)) - scene.restore(box).pixels).mean() < 4 / 255


def test_many_regions_are_a_zip(api, picture, scene):
    boxes = [Box(1, 2, 9, 9), Box(0, 0, 64, 48), Box(1, 2, 9, 9)]
    asked = {"boxes": [sides(b) for b in boxes], "format": "tif"}
    answer = api.post(f"/pictures/{picture}/restorations", json=asked)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        index = json.loads(bundle.read("index.json"))["pictures"]
        assert len(bundle.namelist()) == 4
        for box, fact in zip(boxes, index, strict=True):
            assert fact["box"] == sides(box)
            assert images.read(bundle.read(fact["name"])).size == box.scaled(4).size


def test_tiles_are_the_picture(service, api):
    data = photo(700, 300, "PNG")
    key, levels = service.upload(data), 11
    whole_picture = pixels(data)
    for column, row, box in ((0, 0, Box(0, 0, 256, 256)), (2, 1, Box(512, 256, 700, 300))):
        answer = api.get(f"/pictures/{key}/tiles/{levels - 1}/{column}_{row}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        found = pixels(answer.content)
        assert found.shape[1:] == (box.height, box.width)
        assert np.abs(found - whole_picture[:, box.rows, box.columns]).mean() < 0.01
    sizes = {9: (350, 150), 8: (175, 75), 1: (2, 1), 0: (1, 1)}
    for level, (width, height) in sizes.items():
        found = images.read(api.get(f"/pictures/{key}/tiles/{level}/0_0.jpg").content)
        assert (found.size.width, found.size.height) == (min(width, 256), min(height, 256))
    refused(api.get(f"/pictures/{key}/tiles/11/0_0.jpg"), 422, "no level 11")
    refused(api.get(f"/pictures/{key}/tiles/10/3_0.jpg"), 422, "outside the picture")


def test_tiles_of_a_large_picture_come_from_a_smaller_copy(tmp_path, net):
    runner = TaskRunner(WorkerSettings((str(net),), "torch", "fp32", 64, 100, 100))
    path = tmp_path / "wide.png"
    path.write_bytes(photo(2 * OVERVIEW_SIDE + 1, 16, "PNG"))
    file = PictureFile("a", str(path), "wide", any_size=False)
    levels = runner.run(OpenTask(file, "1"), tmp_path, print).tiles.levels
    expected = images.read(path).preview(2049)
    for column in (0, 8):
        runner.run(TileTask(file, "1", levels - 3, column, 0), tmp_path, print)
        tile = images.read(tmp_path / "result.jpg")
        part = expected[:, column * 256 : column * 256 + 256].transpose(2, 0, 1) / 255
        assert np.abs(tile.window(whole(tile.size)) - part).mean() < 0.02


def test_bicubic_cost_attention_and_paste(api, picture, scene, tmp_path):
    box = Box(11, 7, 34, 21)
    answer = api.get(f"/pictures/{picture}/bicubic", params=sides(box) | {"scale": 4})
    from localsr.inference.restoration import bicubic

    assert np.abs(pixels(answer.content) - bicubic(scene.photo, box, 4)).max() <= 0.5 / 255 + 1e-4
    bills = api.post(f"/pictures/{picture}/cost", json={"boxes": [sides(box)]}).json()
    assert set(bills) == {"crop", "halo", "clsr", "full"}
    assert bills["crop"]["gflops"] < bills["clsr"]["gflops"]
    found = api.post(f"/pictures/{picture}/attention", json={"box": sides(box)}).json()
    assert found["box"] == sides(box)
    assert sum(p["weight"] for p in found["patches"]) == pytest.approx(1)
    assert [p["radius"] for p in found["patches"]] == [ring_radius(p["weight"], Size(64, 48)) for p in found["patches"]]
    for same_size in (False, True):
        asked = {"boxes": [sides(box)], "feather": 2, "same_size": same_size}
        answer = api.post(f"/pictures/{picture}/paste", json=asked)
        paste(tmp_path / "here.png", scene, [box], how=Pasting(2, same_size))
        assert np.abs(pixels(answer.content) - pixels((tmp_path / "here.png").read_bytes())).max() <= 1.01 / 255


def test_limits_are_named_where_they_are_hit(api, picture):
    restorations = f"/pictures/{picture}/restorations"
    refused(api.post("/pictures", content=b"x" * (2**20 + 1)), 413, "1 MiB")
    refused(api.post("/pictures", content=photo(1100, 1000)), 422, "1100 x 1000", "1 megapixels")
    refused(api.post(restorations, json={"boxes": [BOX] * 6}), 413, "6 boxes", "at most 5")
    large = api.post("/pictures", content=photo(1000, 900)).json()["id"]
    boxes = {"boxes": [{"left": 0, "top": 0, "right": 600, "bottom": 600}]}
    refused(api.post(f"/pictures/{large}/restorations", json=boxes), 413, "5.8 megapixels", "at most 4")
    refused(api.post(f"/pictures/{large}/paste", json={"boxes": [BOX]}), 413, "14.4 megapixels")
    refused(api.post(f"/pictures/{large}/cost", json=boxes), 413, "5.8 megapixels")
    refused(api.post(f"/pictures/{large}/attention", json={"box": boxes["boxes"][0]}), 413, "5.8 megapixels")


def test_what_cannot_be_asked(api, picture):
    restorations = f"/pictures/{picture}/restorations"
    refused(api.post("/pictures", content=b"no picture"), 422, "begins with", "JPEG, PNG")
    refused(api.post("/pictures", content=photo(64, 48, "PNG")[:40]), 422)
    refused(api.post(restorations, json={"boxes": [{**BOX, "right": 1000}]}), 422, "leaves the picture", "64 x 48")
    refused(api.post(restorations, json={"boxes": [{**BOX, "right": 40}]}), 422, "no area")
    refused(api.post(restorations, json={"boxes": [{**BOX, "left": 1.5}]}), 422, "left")
    refused(api.post(restorations, json={"boxes": []}), 422)
    refused(api.post(restorations, content=b"{"), 422)
    refused(api.post(restorations, json={"boxes": [BOX], "path": "/etc/passwd"}), 422, "path")
    refused(api.post(restorations, json={"boxes": [BOX], "strategy": "x"}), 422, "leaves the picture")
    inside = {"boxes": [{"left": 0, "top": 0, "right": 9, "bottom": 9}]}
    refused(api.post(restorations, json=inside | {"strategy": "x"}), 422, "crop, halo, clsr, full")
    refused(api.post(restorations, json=inside | {"network": "/etc/passwd"}), 422, "no network", "tiny")
    refused(api.get("/nothing"), 404)
    refused(api.put("/pictures"), 405)


def test_the_client_is_a_restorer_elsewhere(service, net, scene, tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (48, 64, 4), dtype=np.uint16)
    with localsr.Client(service.url) as client:
        for source in (scene.photo, photo(64, 48, "PNG"), io.BytesIO(photo(64, 48, "PNG")), localsr.read(deep)):
            remote = client.encode(source)
            here = localsr.load(net).encode(remote.photo)
            boxes = [Box(11, 7, 34, 21), Box(0, 0, 9, 48)]
            for mine, theirs in zip(here.restore(boxes), remote.restore(boxes), strict=True):
                levels = 2**remote.photo.depth - 1
                assert np.abs(mine.pixels - theirs.pixels).max() <= 0.5 / levels + 1e-4
                assert (mine.box, mine.scale, mine.strategy) == (theirs.box, theirs.scale, theirs.strategy)
            assert (theirs.alpha is None) == (mine.alpha is None)
            streamed = dict(remote.stream(boxes))
            assert [streamed[n].box for n in range(2)] == boxes
            assert remote.attention(boxes[0]).shares == pytest.approx(here.attention(boxes[0]).shares, abs=1e-5)
            assert set(remote.cost(boxes)) == set(here.strategies) == set(remote.strategies)
            assert remote.strategy() == here.strategy()
            heard = []
            assert len(list(remote.stream(boxes, progress=lambda *done, heard=heard: heard.append(done)))) == 2
            assert heard == [(322, 754), (754, 754)]
            with pytest.raises(ConfigError, match="crop, halo, clsr, full"):
                remote.restore(boxes, "x")
            with pytest.raises(BoxError, match="leaves the picture"):
                remote.restore(Box(0, 0, 65, 1))
            for either in (here, remote):
                with pytest.raises(BoxError, match=r"\(1, 2, 3, 4\) is no localsr\.Box"):
                    either.restore((1, 2, 3, 4))
            for shared in (remote.restore, remote.stream, remote.cost):
                with pytest.raises(ConfigError, match="leave share out"):
                    shared(boxes, share=True)
            remote.restore(boxes[0], "halo").save(tmp_path / "sign.png")
            remote.paste(tmp_path / "all.png", boxes)
            assert images.read(tmp_path / "all.png").size == whole(remote.photo.size).scaled(4).size
            remote.close()
            assert remote.restore(boxes[0]).box == boxes[0]  # sent again
        with localsr.Client(service.url, model="x") as other, pytest.raises(ConfigError, match="no network 'x'"):
            other.encode(scene.photo)
        with pytest.raises(ImageError):
            client.encode(b"nothing")
    with pytest.raises(ConfigError, match="no token of a service has") as refusal:
        localsr.Client(service.url, token="a\nsecret")
    assert "secret" not in str(refusal.value)
    with localsr.Client("http://127.0.0.1:1") as nobody, pytest.raises(ServiceError, match="cannot be reached"):
        nobody.networks()


def test_a_client_and_a_scene_can_do_the_same():
    for name in (
        "restore",
        "stream",
        "cost",
        "attention",
        "paste",
        "strategy",
        "strategies",
        "scale",
        "adjusted",
        "conditions",
    ):
        assert getattr(localsr.Scene, name) is getattr(RemoteScene, name) is getattr(RegionScene, name)
    assert not RemoteScene.__abstractmethods__


@pytest.mark.slow
def test_noise_and_blur_from_afar(net, tmp_path):
    path = save_told(tmp_path)
    random = np.random.default_rng(0)
    noisy = np.clip(120 + random.normal(0, 9, (96, 128, 3)), 0, 255).astype(np.uint8)
    box, here = Box(11, 7, 34, 21), localsr.load(path).encode(noisy)
    models = [part for model in (path, net) for part in ("--model", str(model))]
    with Service("--workers", "1", *EXACT, *models) as running:
        with localsr.Client(running.url, model="told") as client:
            remote = client.encode(noisy)
            assert remote.conditions == pytest.approx(here.conditions, abs=1e-6)
            for denoise, deblur in ((None, None), (0, None), (80, 20)):
                theirs = remote.adjusted(denoise, deblur).restore(box).pixels
                assert np.abs(theirs - here.adjusted(denoise, deblur).restore(box).pixels).max() <= 0.5 / 255 + 1e-4
            remote.adjusted(100).paste(tmp_path / "all.png", [box])
            assert images.read(tmp_path / "all.png").provenance.told[0] == 25
            with pytest.raises(ConfigError, match="denoise 101 is not between 0 and 100"):
                remote.adjusted(101)
        with localsr.Client(running.url, model="tiny") as other, pytest.raises(ConfigError, match="cannot be told"):
            other.encode(noisy, denoise=3)
        key = running.upload(photo(64, 48, "PNG"))
        with httpx.Client(base_url=f"{running.url}/api/v1", timeout=60) as api:
            offered = {network["name"]: network["conditioned"] for network in api.get("/networks").json()}
            assert offered == {"told": True, "tiny": False}
            assert api.get("/session").json()["denoise"] is None
            found = api.post(f"/pictures/{key}/conditions", json={"network": "told"}).json()
            assert found["described"].startswith("noise of ")
            assert 0 <= found["deblur"] <= 100
            ask = {"boxes": [sides(box)], "network": "tiny"}
            refused(api.post(f"/pictures/{key}/conditions", json={"network": "tiny"}), 422, "tiny cannot be told")
            refused(api.post(f"/pictures/{key}/restorations", json=ask | {"denoise": 5}), 422, "cannot be told")
            refused(api.post(f"/pictures/{key}/restorations", json=ask | {"denoise": 100.5}), 422, "denoise")


def test_the_examples_of_the_client_run(service):
    names = {"localsr": localsr, "url": service.url, "photo": photo(64, 48, "PNG")}
    tests = doctest.DocTestFinder().find(localsr.client, globs=names)
    results = [doctest.DocTestRunner().run(test) for test in tests]
    assert sum(result.attempted for result in results) >= 2
    assert sum(result.failed for result in results) == 0


@pytest.mark.slow
def test_slow_ones_are_cut(service):
    for sent, status in ((b"GET / HTTP/1.1\r\n", 408), (b"POST /api/v1/pictures HTTP/1.1\r\nHost: x\r\n", 408)):
        with socket.create_connection(service.address) as own:
            began = time.monotonic()
            own.sendall(sent)
            answer = b"".join(iter(lambda: own.recv(9999), b""))
            assert int(answer.split()[1]) == status
            assert b"1 s, the limit" in answer
            assert 0.5 < time.monotonic() - began < 3
    with socket.create_connection(service.address) as own:
        own.sendall(b"POST /api/v1/pictures HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        answer = b"".join(iter(lambda: own.recv(9999), b""))
        assert int(answer.split()[1]) == 408
        assert b"2 s, the limit" in answer
    row = service_slow.measure(service, 20, 3)
    assert set(row["honest"]) == {200}
    assert row["header opened"] >= 20
    assert row["body opened"] >= 20


def test_a_client_that_leaves_cancels_its_work(service, picture, api):
    body = json.dumps({"boxes": [{"left": 0, "top": 0, "right": 64, "bottom": 48}] * 5, "strategy": "full"})
    for _ in range(3):
        connection = http.client.HTTPConnection(*service.address)
        connection.request("POST", f"/api/v1/pictures/{picture}/restorations", body)
        connection.close()
    began = time.monotonic()
    assert api.get(f"/pictures/{picture}/tiles/0/0_0.jpg").status_code == 200
    assert time.monotonic() - began < 10
    assert service.workers


def test_health_metrics_and_reference(service, api, picture):
    assert api.get(f"/pictures/{picture}").status_code == 200
    with httpx.Client(base_url=service.url) as root:
        assert root.get("/healthz").json() == {"status": "alive"}
        assert root.get("/readyz").json() == {"status": "ready"}
        answered = root.get("/metrics").text
        assert "localsr_workers_ready 1.0" in answered
        assert 'route="/api/v1/pictures/{key}"' in answered
        assert "passwd" not in answered
        page = root.get("/api")
        assert "/api/v1/pictures/{key}/restorations" in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert root.get("/openapi.json").json()["info"]["title"] == "localsr"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.slow
def test_fuzz(service, picture):
    service_fuzz.raw(service, picture, 100)
    statuses = service_fuzz.traversal(service, picture, 8)
    assert set(statuses) <= {404, 405, 422}
    service.ready(5)


def test_a_crowd(service):
    (row,) = service_load.measure(service, 150, 1)
    assert set(row["statuses"]) == {200, 429}
    assert sum(row["statuses"].values()) == 150


@pytest.mark.slow
def test_nothing_grows(service):
    statuses, rows = service_endurance.measure(service, 60, pause=0.05)
    assert set(statuses) <= {200, 201, 204, 413, 422, 429, 499}
    assert rows[-1]["descriptors"] <= rows[0]["descriptors"] + 16


@pytest.mark.slow
def test_a_dead_worker_costs_one_request(net):
    with Service("--model", str(net), "--workers", "2") as service:
        row = service_kill.kills(service, 1, (0.1, 0.2))
        assert set(row["statuses"]) <= {200, 503}
        assert row["statuses"].get(503, 0) <= 1
        assert row["statuses"][200] > 0
        os.kill(service.workers[0], signal.SIGSTOP)  # one that hangs holds up nobody's end
        code, spent = service.stop()
        assert code == 0
        assert spent < 30


@pytest.mark.slow
def test_work_that_takes_too_long(net):
    with Service("--model", str(net), "--workers", "1", "--job-timeout", "0.001") as service:
        data, answers = photo(4000, 4000), []
        while not answers or (answers[-1].status_code == 201 and len(answers) < 20):
            # a service that is starved may see the end of the work before the end of its time
            answers.append(httpx.post(f"{service.url}/api/v1/pictures", content=data, timeout=60))
        refused(answers[-1], 504, "0.001 s, the limit")
        assert service.ready(60) >= 0
        assert service.state()["files"] == len(answers) - 1


def test_a_photo_that_the_service_was_started_on(viewed):
    key = httpx.get(f"{viewed.url}/api/v1/session").json()["picture"]
    answered = httpx.get(f"{viewed.url}/api/v1/pictures/{key}").json()
    assert (answered["name"], answered["width"]) == ("street <b>.png", 64)
    assert str(viewed.photo.parent) not in json.dumps(answered)
    refused(httpx.delete(f"{viewed.url}/api/v1/pictures/{key}"), 409, "stays")
    assert httpx.get(f"{viewed.url}/api/v1/pictures/{key}/tiles/6/0_0.jpg").status_code == 200


def test_the_end_answers_what_was_accepted(viewed):
    row = service_kill.end(viewed, 0.5)
    assert set(row["statuses"]) <= {200, 503}
    assert row["code"] == 0
    assert row["files left"] == 0
    assert viewed.photo.exists()
