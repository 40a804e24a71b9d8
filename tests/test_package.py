"""The wheel and the sdist: what is in them, that they need what they say, and one version everywhere."""

import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

import localsr

ROOT = Path(__file__).parents[1]
MAX_INSTALLED_BYTES = 350 * 10**6
SOURCES = ("src", "tests", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE")
SUFFIXES = (".py", ".typed", ".safetensors", ".onnx", ".json", ".jinja", ".js", ".css", ".html", ".svg", ".txt", ".ttf")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


def package_files() -> set[str]:
    """What the source tree holds for the package."""
    files = (path for path in (ROOT / "src/localsr").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(ROOT / "src")) for path in files}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.stat().st_size <= 25_000_000  # what people download
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert {Path(name).suffix for name in names} <= set(SUFFIXES)
    for needed in ("py.typed", "weights/clsr-photo-x4.safetensors", "serving/page/index.html", "batch/contact.js"):
        assert f"localsr/{needed}" in names
    assert {"localsr/batch/contact.html.jinja", "localsr/evaluation/report/report.html.jinja"} <= names


def test_the_sdist_holds_what_the_wheel_is_built_from(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in package_files()} <= names
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_one_version(wheel: Path) -> None:
    version = localsr.__version__
    assert wheel.name == f"localsr-{version}-py3-none-any.whl"
    released = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(name for name in released if name != "Unreleased") == version
    assert "Unreleased" not in released[1:]
    assert len(released) == len(set(released))


def closure(requirements: Iterable[str], extras: Iterable[str] = ()) -> set[str]:
    """The distributions that requirements need, by the metadata of those that are installed here."""
    found: set[str] = set()
    queue = [(Requirement(text), extra) for text in requirements for extra in ("", *extras)]
    while queue:
        wanted, extra = queue.pop()
        if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": extra})):
            continue
        found.add(wanted.name)
        queue += [(Requirement(text), "") for text in distribution(wanted.name).requires or ()]
    return found


def link_distribution(name: str, site: Path) -> int:
    """Put a distribution that is installed here into another environment, file by file; return its bytes."""
    size = 0
    for file in distribution(name).files or ():
        if file.parts[0] == "..":  # its commands
            continue
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        real = Path(str(file.locate())).resolve()
        if not (site / file).exists():  # by another distribution of its namespace
            (site / file).symlink_to(real)
            size += real.stat().st_size if real.exists() else 0
    return size


@pytest.mark.slow
def test_the_wheel_works_without_torch(wheel: Path, tmp_path: Path) -> None:
    """In an environment that holds the wheel, what its metadata asks for with [serve] and [batch], and nothing more."""
    environment, clean = tmp_path / "environment", {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, env=clean)
    (site,) = environment.glob("lib/python*/site-packages")
    (metadata,) = site.glob("localsr-*.dist-info/METADATA")
    requirements = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE)

    own = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    size = own + sum(link_distribution(name, site) for name in closure(requirements))
    subprocess.run([*pip, "check"], check=True, env=clean, capture_output=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")

    def run(*arguments: str) -> str:
        command = [str(environment / "bin/localsr"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = run("restore", "photo.png", "--box", "10,20,16,12", "-o", "region.png", "--compare", "sheet.png")
    assert told.startswith("region.png: 64 x 48 px, clsr, ")
    with Image.open(tmp_path / "region.png") as region, Image.open(tmp_path / "sheet.png") as sheet:
        expected = localsr.load(device="cpu", precision="fp32").encode(pixels).restore(localsr.Box(10, 20, 26, 32))
        assert np.abs(np.asarray(region) / 255 - expected.pixels.transpose(1, 2, 0)).max() <= 0.5 / 255 + 1e-4
        assert sheet.width > sheet.height
    assert "GFLOPs" in run("cost", "photo.png", "--box", "10,20,16,12")
    assert "the largest share" in run("explain", "photo.png", "--box", "10,20,16,12", "-o", "map.png")
    code = "import importlib.util as u; print([u.find_spec(name) for name in ('torch', 'matplotlib', 'pytest')])"
    done = subprocess.run([str(python), "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.stdout.strip() == "[None, None, None]", done.stderr
    command = [str(environment / "bin/localsr"), "verify"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert (done.returncode, "pip install 'localsr[torch]'" in done.stderr) == (2, True), done.stderr

    rest = closure(requirements, ("serve", "batch")) - closure(requirements)
    assert size + sum(link_distribution(name, site) for name in rest) <= MAX_INSTALLED_BYTES
    (tmp_path / "photos").mkdir()
    shutil.copy(tmp_path / "photo.png", tmp_path / "photos")
    run("batch", "photos", "--box", "10,20,16,12", "-o", "results")
    assert len(list((tmp_path / "results").rglob("*.png"))) == 1
    command = [str(environment / "bin/localsr"), "view", "photo.png", "--no-browser", "--workers", "1"]
    with subprocess.Popen(command, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        try:
            address = service.stdout.readline().removeprefix("localsr: ").strip()
            with urllib.request.urlopen(address) as answer:
                assert b"<html" in answer.read()
            with localsr.Client(address) as client:
                remote = client.encode(pixels).restore(localsr.Box(10, 20, 26, 32))
            assert np.abs(remote.pixels - expected.pixels).max() <= 0.5 / 255 + 1e-4
        finally:
            service.terminate()
