"""The page in a real browser: what is drawn is what is restored, to the pixel, by mouse, touch and keyboard."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from networks import save_told
from PIL import Image

import localsr
from localsr.geometry import Box

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not here: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 740}
SHARP = "#regions li[data-state=sharp]"
CHOSEN = "#regions li.selected"
PATIENCE = 300.0  # s for a state to come: more than any busy machine needs


@contextmanager
def serving(*command: str) -> Iterator[str]:
    """The address of a service of its own."""
    whole = [sys.executable, "-m", "localsr", *command, "--port", "0", "--precision", "fp32"]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(found[0] for line in server.stdout if (found := re.search(r"http://[\w.:]+", line)))
        finally:
            server.terminate()
            server.wait(PATIENCE)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    names = ("clsr-photo-x2", "edsr-photo-x4", "clsr-photo-x4")
    models = [part for name in names for part in ("--model", name)]
    with serving("serve", "--workers", "2", "--queue", "100", *models) as address:  # no 429 on a busy machine
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=1000 * PATIENCE)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Page:
    """A tab, what it has asked, and what it has complained of."""

    def __init__(self, browser, address, *, size=WIDE, **more) -> None:
        self.context = browser.new_context(viewport=size, reduced_motion="reduce", **more)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(1000 * PATIENCE)
        self.address, self.complaints, self.asked, self.elsewhere = address, [], [], []
        self.tab.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", self._hear)

    def _hear(self, request) -> None:
        if not request.url.startswith((f"{self.address}/", "blob:")):
            self.elsewhere.append(request.url)
        if request.method == "POST" and request.url.endswith(("/restorations", "/paste")):
            self.asked.append(json.loads(request.post_data))

    def open(self, path: Path | None = None) -> None:
        self.tab.goto(self.address)
        if path is not None:
            self.tab.set_input_files("#file", path)
        self.tab.wait_for_selector("#frames:not([hidden])", state="attached")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what the page itself does not show."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what} in {PATIENCE:g} s"
            self.tab.wait_for_timeout(30)

    def settled(self) -> np.ndarray:
        """What is seen on the stage once it changes no more: the tiles have come."""
        seen = [self.stage()]

        def at_rest() -> bool:
            seen.append(self.stage())
            whole = self.tab.get_attribute("#picture", "aria-busy") == "false"
            return whole and np.array_equal(seen[-2], seen[-1])

        self.until(at_rest, "the stage does not come to rest")
        return seen[-1]

    def stage(self) -> np.ndarray:
        """What is seen on the stage, grey, without the tools at its left."""
        shot = self.tab.screenshot(clip=self.tab.locator("#stage").bounding_box())
        return np.asarray(Image.open(io.BytesIO(shot)).convert("L"))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one place of the stage to another."""
        corner = self.tab.locator("#stage").bounding_box()
        (x, y), (to_x, to_y) = ((corner["x"] + at[0], corner["y"] + at[1]) for at in (start, end))
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        self.tab.mouse.move((x + to_x) / 2, (y + to_y) / 2, steps=3)
        self.tab.mouse.move(to_x, to_y, steps=3)
        self.tab.mouse.up()

    def sharp(self, count: int = 1) -> None:
        """Wait until so many regions are sharp, and none is on its way."""
        sync_api.expect(self.tab.locator(SHARP)).to_have_count(count)

    def restored(self, box: dict[str, int]) -> None:
        """Wait until a box was asked for last, and is sharp."""
        self.until(lambda: bool(self.asked) and self.asked[-1]["boxes"] == [box], f"{box} is not asked for")
        self.sharp()

    def save(self, button: str) -> bytes:
        with self.tab.expect_download() as download:
            self.tab.click(button)
        return Path(download.value.path()).read_bytes()

    def unscrolled(self) -> bool:
        """Whether the page is the screen: what is longer scrolls within it."""
        return self.tab.evaluate("document.scrollingElement.scrollHeight === innerHeight && scrollY === 0")

    def overlay(self) -> np.ndarray:
        """What the page has drawn over the picture, RGBA."""
        png = self.tab.evaluate("document.querySelector('#overlay').toDataURL().split(',')[1]")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


@pytest.fixture
def page(browser, service) -> Iterator[Page]:
    """A tab that must not complain, nor ask anybody but its server."""
    page = Page(browser, service)
    yield page
    assert page.unscrolled()
    page.context.close()
    assert page.complaints == []
    assert page.elsewhere == []


def sides(box: Box) -> dict[str, int]:
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def marked(width: int, height: int, box: Box, dtype=np.uint8) -> np.ndarray:
    """A black picture with one white box, which can be found again on the screen."""
    pixels = np.zeros((height, width, 3), dtype)
    pixels[box.rows, box.columns] = np.iinfo(dtype).max
    return pixels


def portrait(folder: Path) -> tuple[Path, Box]:
    box = Box(140, 335, 163, 352)
    Image.fromarray(marked(300, 700, box)).save(folder / "portrait.png")
    return folder / "portrait.png", box


def rotated(folder: Path) -> tuple[Path, Box]:
    """Stored lying, shown upright: turned by a quarter when it is read."""
    box = Box(190, 305, 217, 320)
    upright = Image.fromarray(marked(400, 640, box))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "rotated.jpg", quality=100, subsampling=0, exif=exif)
    return folder / "rotated.jpg", box


def deep(folder: Path) -> tuple[Path, Box]:
    box = Box(251, 190, 270, 211)
    localsr.images.write(folder / "deep.tif", *_planes(marked(512, 400, box, np.uint16)))
    return folder / "deep.tif", box


def _planes(pixels: np.ndarray) -> tuple:
    photo = localsr.read(pixels)
    assert photo.depth == 16
    return photo.window(Box(0, 0, *pixels.shape[1::-1])), None, photo


def poster(folder: Path) -> tuple[Path, Box]:
    """64 megapixels."""
    box = Box(3990, 4005, 4013, 4021)
    Image.fromarray(marked(8000, 8000, box)[..., 0]).save(folder / "poster.jpg", quality=100)
    return folder / "poster.jpg", box


def edges(stage: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """The corners of the white box on the stage, where its brightness crosses one half."""
    middle = stage[60:-60, 80:-80] > 127
    rows, columns = np.flatnonzero(middle.any(1)), np.flatnonzero(middle.any(0))
    left, top, right, bottom = (float(n) for n in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return (left + 80, top + 60), (right + 80, bottom + 60)


def test_what_is_odd_with_a_file_is_said(page, tmp_path):
    frames = [Image.fromarray(np.full((150, 200, 3), level, np.uint8)) for level in (40, 90)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    page.open(tmp_path / "two.gif")
    sync_api.expect(page.tab.locator("#notes")).to_have_text("Of this picture: 1 of 2 frames or pages is used.")


def test_any_scale_is_made_from_the_next_larger_network(page, tmp_path):
    path, _ = portrait(tmp_path)
    page.open(path)
    page.tab.fill("#factor", "1.5")
    page.tab.press("#factor", "Enter")
    page.drag((400, 250), (451, 301))
    page.sharp()
    assert (page.asked[-1]["scale"], page.asked[-1]["network"][-3:]) == (1.5, "-x2")
    sync_api.expect(page.tab.locator(f"{CHOSEN} .facts")).to_contain_text("\u00d71.5 ")
    sync_api.expect(page.tab.locator("#enlarged")).to_have_text("Enlarged, 450 \u00d7 1050")
    box = localsr.Box(**page.asked[-1]["boxes"][0])
    saved = Image.open(io.BytesIO(page.save(f"{CHOSEN} [data-do=save]")))
    assert saved.size == tuple(int(side * 1.5 + 0.5) for side in (box.width, box.height))
    page.tab.fill("#factor", "3")
    page.tab.press("#factor", "Enter")
    page.until(lambda: page.asked[-1]["scale"] == 3, "three times is asked for")
    assert page.asked[-1]["network"].endswith("-x4")
    page.sharp()
    page.tab.click("#scales label:has(input[value='2'])")
    page.until(lambda: page.asked[-1]["scale"] is None, "as much as a network enlarges")
    assert page.tab.input_value("#factor") == "2"
    page.sharp()


@pytest.mark.parametrize("make", [portrait, rotated, deep, poster])
def test_the_box_drawn_is_the_box_restored_to_the_pixel(page, tmp_path, make):
    path, box = make(tmp_path)
    page.open(path)
    page.tab.focus("#stage")
    page.tab.keyboard.press("1")
    for _ in range(6):  # 7.5 pixels of the screen to one of the picture
        page.tab.keyboard.press("+")
    start, end = edges(page.settled())
    assert end[0] - start[0] > 6 * box.width
    page.drag(start, end)
    page.sharp()
    assert page.asked[0]["boxes"] == [sides(box)]
    fields = [page.tab.input_value(f"{CHOSEN} [data-side={side}]") for side in ("left", "top", "width", "height")]
    assert fields == [str(n) for n in (box.left, box.top, box.width, box.height)]
    saved = tmp_path / "saved.png"
    saved.write_bytes(page.save(f"{CHOSEN} [data-do=save]"))
    photo, depth = localsr.read(saved), localsr.read(path).depth
    assert (photo.size, photo.depth) == (box.scaled(4).size, depth)
    pixels = photo.window(Box(0, 0, 4 * box.width, 4 * box.height))
    rims = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    assert min(rim.mean() for rim in rims) > 0.6  # a pixel to any side, and a rim would be black


@pytest.fixture
def photo() -> Path:
    """A real photo, of 512 x 600 px."""
    import matplotlib.cbook

    return Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def test_compared_explained_and_priced(page, photo):
    page.open(photo)
    page.drag((380, 240), (560, 360))
    page.sharp()
    sync_api.expect(page.tab.locator("#frames .knob")).to_be_visible()
    left, top = (int(page.tab.input_value(f"{CHOSEN} [data-side={side}]")) for side in ("left", "top"))
    restored = page.overlay()
    page.tab.keyboard.press("c")
    bicubic = page.overlay()
    page.tab.locator(f"{CHOSEN} [type=range]").fill("50")
    both = page.overlay()
    rows, columns = np.flatnonzero(restored[..., 3].any(1)), np.flatnonzero(restored[..., 3].any(0))
    assert (len(columns), len(rows)) == pytest.approx((180, 120), abs=4)  # in its place, and nowhere else
    half = columns[0] + len(columns) // 2
    assert not np.array_equal(restored, bicubic)
    assert np.array_equal(both[:, : half - 2], bicubic[:, : half - 2])  # before at the left, as on a contact sheet
    assert np.array_equal(both[:, half + 2 :], restored[:, half + 2 :])
    page.tab.focus("#frames .knob")
    page.tab.keyboard.press("Home")
    assert np.array_equal(page.overlay(), restored)

    prices = page.tab.locator("#strategies .price")
    sync_api.expect(prices.first).to_contain_text("GFLOPs")
    page.tab.click(f"{CHOSEN} [data-do=context]")
    sync_api.expect(page.tab.locator(f"{CHOSEN} .rings")).to_contain_text("an even one would be 1.6 %")
    rings = page.overlay()
    assert rings[..., 3].any(0).sum() > 400  # circles all over the picture
    within = np.s_[rows[0] + 2 : rows[-1] - 1, columns[0] + 2 : columns[-1] - 1]
    assert not np.array_equal(rings[within], restored[within])
    page.tab.focus("#frames .knob")
    page.tab.keyboard.press("End")
    compared = page.overlay()
    assert np.array_equal(compared[within], bicubic[within])  # no circle on what one compares
    around = np.abs(compared[: rows[0] - 4].astype(int) - rings[: rows[0] - 4])
    assert around.max() < 16  # a circle is 255; drawing within a clip rounds otherwise
    page.tab.keyboard.press("Home")
    page.tab.click("#strategies label:has(input[value=crop])")
    sync_api.expect(page.tab.locator(f"{CHOSEN} .facts")).to_contain_text("crop")
    assert page.asked[-1]["strategy"] == "crop"
    assert page.asked[-1]["boxes"] == page.asked[0]["boxes"]
    page.tab.select_option("#network", "edsr-photo-x4")
    sync_api.expect(page.tab.locator(f"{CHOSEN} [data-do=context]")).to_be_disabled()
    page.sharp()
    assert page.asked[-1]["network"] == "edsr-photo-x4"
    page.tab.click("#scales label:has(input[value='2'])")
    sync_api.expect(page.tab.locator(f"{CHOSEN} .facts")).to_contain_text("\N{MULTIPLICATION SIGN}2")
    assert page.asked[-1]["network"] == "clsr-photo-x2"
    assert [left, top] == [page.asked[-1]["boxes"][0][side] for side in ("left", "top")]


def test_moved_and_resized_by_handles(page, photo):
    page.open(photo)
    page.drag((400, 250), (500, 350))
    page.sharp()
    first = page.asked[-1]["boxes"][0]
    with page.tab.expect_response("**/restorations"):
        page.drag((450, 300), (470, 330))  # inside: moves
    page.sharp()
    moved = page.asked[-1]["boxes"][0]
    zoom = 100 / (first["right"] - first["left"])
    assert moved["left"] - first["left"] == pytest.approx(20 / zoom, abs=1)
    assert moved["top"] - first["top"] == pytest.approx(30 / zoom, abs=1)
    assert moved["right"] - moved["left"] == first["right"] - first["left"]
    with page.tab.expect_response("**/restorations"):
        page.drag((520, 380), (540, 370))  # the handle at the lower right
    page.sharp()
    shaped = page.asked[-1]["boxes"][0]
    assert (shaped["left"], shaped["top"]) == (moved["left"], moved["top"])
    assert shaped["right"] - moved["right"] == pytest.approx(20 / zoom, abs=1)
    assert shaped["bottom"] - moved["bottom"] == pytest.approx(-10 / zoom, abs=1)
    page.drag((150, 100), (250, 180))  # outside: another
    page.sharp(2)
    page.tab.mouse.wheel(0, -400)
    assert len(page.asked) == 4


def test_what_is_saved_is_the_box_as_it_is_now(page, photo):
    page.open(photo)
    page.drag((400, 250), (450, 300))
    page.sharp()
    page.tab.route("**/restorations", lambda route: route.abort(), times=1)  # as if it were still under way
    page.tab.keyboard.press("Control+ArrowRight")
    sync_api.expect(page.tab.locator("#regions li[data-state=failed]")).to_have_count(1)
    moved = page.asked[-1]["boxes"][0]
    assert moved["left"] == page.asked[0]["boxes"][0]["left"] + 10
    with page.tab.expect_download() as download:
        page.tab.click("#save-all")
    assert f"-{moved['left']}-{moved['top']}-" in download.value.suggested_filename
    assert page.asked[-1]["boxes"] == [moved]
    page.complaints.clear()  # of the request that was broken off


def test_tiles_lie_where_boxes_do(page, tmp_path):
    """A tile drawn a pixel too large, as OpenSeadragon would, shows as a step in the middle of a ramp."""
    ramps = ((np.arange(700) + 16) % 32 * 8).astype(np.uint8)  # tiles end at 256 and 512, in the middle of one
    Image.fromarray(np.broadcast_to(ramps, (520, 700))).save(tmp_path / "ramps.png")
    page.open(tmp_path / "ramps.png")
    page.tab.focus("#stage")
    page.tab.keyboard.press("1")
    page.tab.keyboard.press("+")
    row = page.settled()[300].astype(float)
    ends = np.flatnonzero(np.diff(row) < -100)
    ends = ends[np.diff(ends, prepend=0) > 40]  # whole ramps, right of the tools
    slope = 256 * (len(ends) - 1) / (ends[-1] - ends[0])  # levels in a pixel of the screen
    level = [row[end - 36 : end - 3] - slope * np.arange(33) for end in ends]
    steps = [abs(part[20:].mean() - part[:12].mean()) / slope for part in level]
    assert len(steps) >= 12
    assert max(steps) < 0.25


def test_what_is_transparent_lies_on_white(page, tmp_path):
    pixels = np.zeros((150, 200, 4), np.uint8)
    pixels[..., 3] = 40
    Image.fromarray(pixels).save(tmp_path / "veil.png")
    page.open(tmp_path / "veil.png")
    around = page.settled()
    page.drag((400, 250), (450, 300))
    page.sharp()
    assert page.asked
    overlay = page.overlay()
    drawn = overlay[np.flatnonzero(overlay[..., 3].any(1))[3:-3]][:, np.flatnonzero(overlay[..., 3].any(0))[3:-3]]
    assert (drawn[..., 3] == 255).all()
    assert np.abs(drawn[..., :3].astype(int) - 215).max() <= 2  # black of 40 of 255 on white
    assert abs(int(around[275, 425]) - 215) <= 2


def test_a_damaged_picture_is_a_sentence(browser, service, photo, tmp_path):
    (tmp_path / "cut.jpg").write_bytes(photo.read_bytes()[:40_000])
    page = Page(browser, service)
    page.open(tmp_path / "cut.jpg")
    errors = page.tab.locator("#errors > div")
    sync_api.expect(errors).to_contain_text("cut.jpg cannot be shown: picture cannot be read")
    sync_api.expect(errors).to_have_count(1)
    page.context.close()


def test_signed_in_by_the_token(browser, tmp_path):
    (tmp_path / "token").write_text("abcdefghijklmnop1234")
    named = ("--token-file", str(tmp_path / "token"), "--model", "edsr-light-x4", "--workers", "1")
    with serving("serve", *named) as address:
        page = Page(browser, address)
        page.tab.goto(address)
        page.tab.fill("[name=token]", "wrong")
        page.tab.keyboard.press("Enter")
        sync_api.expect(page.tab.get_by_role("alert")).to_contain_text("not this service's token")
        page.tab.fill("[name=token]", "abcdefghijklmnop1234")
        page.tab.keyboard.press("Enter")
        sync_api.expect(page.tab.locator("#pick")).to_be_visible()
        page.context.close()


@contextmanager
def proxy(backend: str, *, strips: bool) -> Iterator[str]:
    """The address below which a proxy serves a service: it takes its prefix off, or leaves it on."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith("/tool") or (strips and self.path == "/tool"):
                self.send_response(404 if self.path != "/tool" else 301)
                self.send_header("Location", "/tool/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path = self.path.removeprefix("/tool") if strips else self.path
            given = [
                (name, value) for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            ]
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = httpx.request(self.command, f"{backend}{path}", headers=given, content=content, timeout=PATIENCE)
            self.send_response(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name not in ("transfer-encoding", "connection", "content-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            with suppress(BrokenPipeError):  # a tile that is wanted no more
                self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815  # the names of http.server

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/tool"
        server.shutdown()


@pytest.mark.parametrize("strips", [True, False])
def test_below_a_prefix(browser, photo, tmp_path, strips):
    """Of proxies of notebooks and of nginx, which take their prefix off or leave it on: no link leads out of it."""
    token = "abcdefghijklmnop1234"
    (tmp_path / "token").write_text(token)
    named = ("--token-file", str(tmp_path / "token"), "--model", "edsr-light-x4", "--workers", "1", "--queue", "100")
    where = () if strips else ("--root-path", "/tool")
    with serving("serve", *named, *where) as backend, proxy(backend, strips=strips) as address:
        page = Page(browser, address)
        page.tab.goto(address)
        assert page.tab.url == f"{address}/login"
        page.tab.fill("[name=token]", token)
        page.tab.keyboard.press("Enter")
        sync_api.expect(page.tab.locator("#pick")).to_be_visible()
        assert page.tab.url == f"{address}/"
        assert [(cookie["name"], cookie["path"]) for cookie in page.context.cookies()] == [("localsr", "/tool")]
        page.open(photo)
        page.drag((400, 250), (450, 300))
        page.sharp()
        page.tab.reload()
        page.sharp()
        assert page.asked[1] == page.asked[0]
        page.tab.goto(f"{address}/api")
        link = page.tab.locator("text=openapi.json").evaluate("link => link.href")
        assert link == f"{address}/openapi.json"
        described = page.context.request.get(link).json()
        assert described.get("servers") == (None if strips else [{"url": "/tool"}])
        page.context.close()
        assert page.complaints == []
        assert set(page.elsewhere) == {address}  # as it was typed, without the slash
        with localsr.Client(f"{address}/", token=token) as client:
            assert client.encode(photo).restore(Box(8, 8, 24, 20)).pixels.shape == (3, 48, 64)


def test_saved_alone_together_and_in_the_picture(page, photo):
    page.open(photo)
    page.drag((400, 250), (450, 300))
    page.sharp()
    page.drag((300, 500), (360, 540))
    page.sharp(2)
    boxes = [Box(**asked["boxes"][0]) for asked in page.asked]
    page.tab.select_option("#format", "webp")
    alone = localsr.read(page.save(f"{CHOSEN} [data-do=save]"))
    assert alone.size == boxes[1].scaled(4).size
    with zipfile.ZipFile(io.BytesIO(page.save("#save-all"))) as together:
        sizes = [localsr.read(together.read(name)).size for name in together.namelist() if name.endswith("webp")]
    assert sizes == [box.scaled(4).size for box in boxes]
    page.tab.select_option("#format", "png")
    page.tab.click("#sizes label:has(input[value=same])")
    pasted, source = localsr.read(page.save("#save-picture")), localsr.read(photo)
    assert pasted.size == source.size
    whole = Box(0, 0, source.size.width, source.size.height)
    changed = (np.abs(pasted.window(whole) - source.window(whole)) > 1e-6).any(0)
    for box in boxes:
        assert changed[box.rows, box.columns].mean() > 0.5
        changed[box.rows, box.columns] = False
    assert not changed.any()  # all else is as it was
    page.tab.click("#sizes label:has(input[value=large])")
    assert localsr.read(page.save("#save-picture")).size == whole.scaled(4).size
    assert page.asked[-1]["boxes"] == [sides(box) for box in boxes]


def test_by_the_keyboard_alone(page, photo):
    tab, press = page.tab, page.tab.keyboard.press
    tab.on("filechooser", lambda chooser: chooser.set_files(photo))  # long before it is needed: it takes hold late
    tab.goto(page.address)
    reach(tab, "#pick")
    press("Enter")
    tab.wait_for_selector("#frames:not([hidden])", state="attached")
    reach(tab, "#stage")
    press("n")
    page.sharp()
    at = page.asked[-1]["boxes"][0]
    assert (at["right"] - at["left"], at["bottom"] - at["top"]) == (64, 64)
    for keys in ("ArrowRight", "Control+ArrowDown", "Shift+ArrowLeft", "Shift+Control+ArrowDown"):
        press(keys)
    moved = {"left": at["left"] + 1, "top": at["top"] + 10, "right": at["right"], "bottom": at["bottom"] + 20}
    page.restored(moved)
    press("Enter")
    page.settled()
    assert tab.locator("#frames .frame.selected").bounding_box()["height"] > 250  # zoomed to
    reach(tab, f"{CHOSEN} [data-side=width]")
    press("Control+a")
    tab.keyboard.type("50")
    press("Tab")
    page.restored(moved | {"right": moved["left"] + 50})
    reach(tab, f"{CHOSEN} [data-do=save]")
    with tab.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == f"grace_hopper-{moved['left']}-{moved['top']}-50x74-x4.png"
    reach(tab, "#frames .frame.selected", "Shift+Tab")
    press("Delete")
    page.sharp(0)
    press("Control+z")
    page.sharp()
    assert page.asked[-1]["boxes"] == [moved | {"right": moved["left"] + 50}]
    press("Delete")
    page.sharp(0)
    press("?")
    sync_api.expect(tab.locator("#help")).to_be_visible()
    press("Escape")
    sync_api.expect(tab.locator("#help")).to_be_hidden()


def reach(tab, selector: str, key: str = "Tab") -> None:
    """Press a key until an element has the focus, and see that the focus is shown."""
    for _ in range(40):
        tab.keyboard.press(key)
        if tab.evaluate("s => document.activeElement?.matches(s)", selector):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert tab.evaluate(style) != "none", f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"{key} does not lead to {selector}")


def test_every_control_has_a_name(page, photo):
    page.open(photo)
    page.drag((400, 250), (450, 300))
    page.sharp()
    sync_api.expect(page.tab.locator("#frames .knob")).to_be_visible()
    found = page.tab.locator("body").aria_snapshot()
    nameless = re.findall(
        r"^\s*- (?:button|combobox|slider|spinbutton|radio|textbox)(?: \[[^\]]*\])*:?.*$", found, re.M
    )
    nameless = [line for line in nameless if '"' not in line]
    assert nameless == []
    for name in ('button "Draw boxes"', 'slider "Bicubic up to here', 'combobox "Network"', 'spinbutton "Width"'):
        assert name in found


def test_on_a_phone_by_touch(browser, service, photo):
    page = Page(browser, service, size=PHONE, has_touch=True, is_mobile=True)
    page.open(photo)
    fingers = page.context.new_cdp_session(page.tab)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", (150, 200))
    for step in range(1, 6):
        touch("touchMove", (150 + 12 * step, 200 + 10 * step))
    touch("touchEnd")
    page.sharp()
    frame = page.tab.locator("#frames .frame.selected").bounding_box()
    assert (frame["width"], frame["height"]) == pytest.approx((60, 50), abs=3)
    touch("touchStart", (120, 330), (200, 330))
    for step in range(1, 9):
        touch("touchMove", (120 - 8 * step, 330), (200 + 8 * step, 330))
    touch("touchEnd")
    selected = page.tab.locator("#frames .frame.selected")
    page.until(lambda: selected.bounding_box()["width"] > 1.5 * frame["width"], "the picture is not pinched larger")
    assert len(page.asked) == 1  # and not drawn
    page.tab.tap("#sizes label:has(input[value=same])")
    assert page.unscrolled()
    for control in page.tab.locator("button:visible, select:visible").all():
        place = control.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 375
    page.context.close()
    assert page.complaints == page.elsewhere == []


def test_what_goes_wrong_is_a_sentence(page, photo, tmp_path):
    (tmp_path / "notes.png").write_bytes(b"no picture at all")
    page.tab.goto(page.address)
    page.tab.set_input_files("#file", tmp_path / "notes.png")
    errors = page.tab.locator("#errors > div")
    sync_api.expect(errors).to_contain_text("notes.png: picture begins with")
    page.tab.clock.install()
    page.tab.clock.fast_forward("10:00:00")
    sync_api.expect(errors).to_have_count(1)  # until it is read
    errors.get_by_role("button", name="Dismiss").click()
    sync_api.expect(errors).to_have_count(0)
    page.open(photo)
    page.tab.route("**/restorations", lambda route: route.abort())
    page.drag((400, 250), (450, 300))
    why = "The server does not answer. Is localsr still running?"
    sync_api.expect(page.tab.locator(f"{CHOSEN} .facts")).to_have_text(why)
    sync_api.expect(page.tab.locator("#news")).to_have_text(f"Region 1 failed: {why}")
    page.tab.unroute("**/restorations")
    full, headers = {"error": "the queue is full", "request": "1"}, {"Retry-After": "1"}
    page.tab.route("**/restorations", lambda route: route.fulfill(status=429, json=full, headers=headers), times=1)
    page.tab.keyboard.press("ArrowRight")
    page.sharp()  # asked again by itself
    assert [re.sub(r"\(.*\)|net::\w+", "", said).strip() for said in page.complaints] == [
        f"error: Failed to load resource: {why}".strip()
        for why in ("the server responded with a status of 422", "", "the server responded with a status of 429")
    ]
    page.complaints.clear()


def test_work_outlives_a_reload_and_a_picture_that_was_let_go(page, photo):
    page.open(photo)
    page.drag((400, 250), (450, 300))
    page.sharp()
    with page.tab.expect_response("**/pictures/*") as answer:
        page.tab.reload()
    page.sharp()
    assert page.asked[1] == page.asked[0]
    page.tab.set_input_files("#file", photo)
    sync_api.expect(page.tab.locator("#regions li")).to_have_count(0)
    page.drag((400, 250), (450, 300))
    page.sharp()
    kept = "JSON.parse(sessionStorage.getItem('localsr')).id"
    name = page.tab.evaluate(kept)
    assert name != answer.value.json()["id"]
    assert page.context.request.delete(f"{page.address}/api/v1/pictures/{name}").status == 204
    page.drag((300, 150), (350, 200))
    page.sharp(2)
    assert page.tab.evaluate(kept) != name  # sent once more
    expected = ("404", "loaded before reset")  # of OpenSeadragon, about tiles that were on their way by the old id
    assert [said for said in page.complaints if not any(word in said for word in expected)] == []
    page.complaints.clear()


def test_a_name_is_text_and_a_picture_may_be_dropped(page, photo):
    name = "<img src=x onerror=alert(1)>.jpg"
    page.tab.goto(page.address)
    data = page.tab.evaluate_handle(
        """([bytes, name]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
            return data;
        }""",
        [base64.b64encode(photo.read_bytes()).decode(), name],
    )
    page.tab.dispatch_event("#drop", "drop", {"dataTransfer": data})
    sync_api.expect(page.tab.locator("#about")).to_contain_text(name)
    assert page.tab.locator("img[src=x]").count() == 0


def test_view_starts_on_its_photo_as_the_readme_shows_it(browser, photo):
    with serving("view", str(photo), "--no-browser") as address:
        page = Page(browser, address)
        page.open()
        sync_api.expect(page.tab.locator("#about")).to_have_text(re.compile("grace_hopper.jpg, 512 . 600, 8 bit"))
        page.drag((240, 598), (365, 660))
        page.sharp()
        page.drag((362, 205), (618, 292))
        page.sharp(2)
        assert page.tab.input_value("#network") == "clsr-photo-x4"  # of those that are offered unless one is named
        page.tab.keyboard.press("z")
        page.tab.locator(f"{CHOSEN} [type=range]").fill("40")
        page.tab.evaluate("document.activeElement.blur()")
        page.settled()
        (ROOT / "build").mkdir(exist_ok=True)
        page.tab.screenshot(path=ROOT / "build" / "page.png")
        page.context.close()
        assert page.complaints == page.elsewhere == []
    with Image.open(ROOT / "build" / "page.png") as made, Image.open(ROOT / "docs" / "page.png") as shown:
        assert made.size == shown.size


def test_sliders_of_noise_and_blur(browser, tmp_path: Path) -> None:
    told = save_told(tmp_path)
    random = np.random.default_rng(0)
    pixels = np.clip(120 + random.normal(0, 9, (240, 320, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noisy.jpg", quality=80)
    models = ("--model", str(told), "--model", "edsr-light-x4", "--deblur", "30", "--workers", "1")
    with serving("view", str(tmp_path / "noisy.jpg"), "--no-browser", *models) as address:
        page = Page(browser, address)
        page.open()
        tab = page.tab
        tab.select_option("#network", "told")
        sync_api.expect(tab.locator("#measured")).to_contain_text("JPEG of quality 80")
        sync_api.expect(tab.locator("#conditions output").nth(0)).to_have_text("auto")
        sync_api.expect(tab.locator("#conditions output").nth(1)).to_have_text("30")
        assert 20 < float(tab.input_value("#denoise")) < 90  # where what was measured lies
        tab.focus("#stage")
        tab.keyboard.press("n")
        page.sharp()
        assert (page.asked[-1]["denoise"], page.asked[-1]["deblur"]) == (None, 30)
        before = page.settled()
        tab.locator("#denoise").scroll_into_view_if_needed()
        slider = tab.locator("#denoise").bounding_box()
        y = slider["y"] + slider["height"] / 2
        tab.mouse.move(slider["x"] + slider["width"] / 2, y)
        tab.mouse.down()
        for share in (0.6, 0.7, 0.8, 0.9):
            tab.mouse.move(slider["x"] + slider["width"] * share, y)
        page.until(lambda: (page.asked[-1]["denoise"] or 0) > 80, "nothing is asked for while a slider moves")
        page.until(lambda: not np.array_equal(page.stage(), before), "nothing is shown while a slider moves")
        tab.mouse.up()
        page.sharp()
        end = float(tab.input_value("#denoise"))
        assert page.asked[-1]["denoise"] == end
        tab.click("#as-measured")
        page.until(lambda: page.asked[-1]["denoise"] is None, "the sliders go back to what was measured")
        assert page.asked[-1]["deblur"] is None
        sync_api.expect(tab.locator("#as-measured")).to_be_hidden()
        tab.select_option("#network", "edsr-light-x4")
        sync_api.expect(tab.locator("#conditions")).to_be_hidden()
        page.until(lambda: page.asked[-1]["network"] == "edsr-light-x4", "the other network is asked")
        assert "denoise" not in page.asked[-1]
        page.sharp()
        page.context.close()
        assert page.complaints == page.elsewhere == []
