"""The documentation says what is so: its commands and Python blocks run, its reference is whole, its pages build.

A block that cannot run here stands under `<!-- not run: reason -->`; one that goes on until it is stopped stands under
`<!-- background -->`. `pip install` is not run, but the extras that it names must be there.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import clips
import numpy as np
import pytest
from PIL import Image

import localsr
from localsr.models import clsr

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("[teh]*/*.md")])
NOT_RUN = 9  # blocks that need docker, a tracker, a store, a cluster or a published data set, or that download anew
PATIENCE = 300  # s


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    note: str  # of the comment above it


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are shell, Python or TOML, in their order."""
    found = re.findall(r"(?:<!-- ([^\n]*) -->\n)?```(sh|python|toml)\n(.*?)```", page.read_text(), re.DOTALL)
    return [Block(language, text, note) for note, language, text in found]


def extras(text: str) -> set[str]:
    """The extras that a block's `pip install` names."""
    return {extra for names in re.findall(r"(?:localsr|\.)\[([\w,]+)\]", text) for extra in names.split(",")}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages name: a photo, a folder of photos, regions, a small data set."""
    astronaut = Path(str(find_spec("skimage").submodule_search_locations[0])) / "data/astronaut.png"  # type: ignore[union-attr, index]
    with Image.open(astronaut) as photo:
        photo.convert("RGB").save(tmp_path / "street.jpg", quality=92)
        (tmp_path / "photos").mkdir()
        for k in range(3):
            photo.convert("RGB").resize((256 + 16 * k, 256)).save(tmp_path / f"photos/{k}.jpg")
        burst = [np.asarray(photo.convert("RGB").crop((k, k // 2, k + 256, k // 2 + 192))) for k in range(12)]
        (tmp_path / "clip.mp4").write_bytes(clips.encoded(burst))
        for name, pixels in zip("abc", burst, strict=False):
            Image.fromarray(pixels).save(tmp_path / f"{name}.jpg", quality=92)
        (tmp_path / "small/HR").mkdir(parents=True)
        for k in range(2):
            photo.convert("RGB").crop((96 * k, 0, 96 * k + 192, 96)).save(tmp_path / f"small/HR/{k}.png")
    (tmp_path / "boxes.jsonl").write_text('{"picture": "0.jpg", "box": [10, 20, 42, 52], "label": "sign"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("BROWSER", "true")
    monkeypatch.setattr(clsr, "BACKBONES", dict(clsr.BACKBONES))  # a page adds one
    return tmp_path


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """What a page starts and leaves running."""
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


def start(command: str, port: int) -> subprocess.Popen[bytes]:
    """Start a server of a page and wait until it answers."""
    process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.1)
    raise AssertionError(f"{command} does not answer")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_says_runs(page: Path, here: Path, started: list[subprocess.Popen[bytes]]) -> None:
    ports, names = {"8000": free_port(), "8765": free_port()}, {"__name__": "page"}
    for block in blocks(page):
        text = re.sub(r"\b(8000|8765)\b", lambda named: str(ports[named[0]]), block.text)
        if block.note.startswith("not run: "):
            assert len(block.note) > len("not run: ") + 10, "say why"
        elif block.language == "toml":
            if name := re.match(r'name = "(\w+)"', text):
                (here / f"{name[1]}.toml").write_text(text)
            tomllib.loads(text)
        elif block.language == "python":
            exec(compile(text, f"{page.name}", "exec"), names)
        elif block.note == "background":
            started.append(start(text, ports["8765" if "8765" in block.text else "8000"]))
        elif not text.startswith(("pip install", "make ")):
            done = subprocess.run(["bash", "-e", "-c", text], capture_output=True, text=True, timeout=PATIENCE)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def test_what_is_not_run_is_counted() -> None:
    assert sum(block.note.startswith("not run: ") for page in PAGES for block in blocks(page)) == NOT_RUN


def test_the_extras_that_pages_name_are_there() -> None:
    known = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    named = {extra for page in PAGES for block in blocks(page) for extra in extras(block.text)}
    assert {"batch", "detect", "serve", "train", "evaluate", "ray"} <= named <= known


def test_every_public_name_is_in_the_reference() -> None:
    text = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    for name in localsr.__all__:
        if not name.startswith("__") and not name.endswith("Error"):
            assert re.search(rf"auto(class|function):: localsr\.{name}$", text, re.MULTILINE), name
    assert "automodule:: localsr.errors" in text
    assert "automodule:: localsr.regions" in text


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    if any(find_spec(name) is None for name in ("sphinx", "myst_parser", "furo", "sphinx_copybutton")):
        pytest.skip("Sphinx and its theme, the extra [docs], are not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {p.relative_to(tmp_path).with_suffix("") for p in tmp_path.rglob("*.html")}
    assert {p.relative_to(ROOT / "docs").with_suffix("") for p in (ROOT / "docs").rglob("*.md")} <= pages
    for page in tmp_path.rglob("*.html"):  # nothing is fetched from elsewhere when a page is read
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?|png|svg)"', page.read_text()), page


def test_a_block_is_found_with_its_note(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n\n<!-- not run: needs docker -->\n```sh\ndocker\n```\n\n```python\nx = 1\n```\n")
    assert blocks(page) == [Block("sh", "docker\n", "not run: needs docker"), Block("python", "x = 1\n", "")]
    assert extras("pip install 'localsr[batch,detect]'") == {"batch", "detect"}
