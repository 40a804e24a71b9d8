"""The wheel and the sdist: what is in them, that they need what they say, and one version everywhere."""

import re
import shutil
import subprocess
import sys
import tarfile
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
SOURCES = ("src", "tests", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE")
SUFFIXES = (".py", ".typed", ".safetensors", ".jinja", ".js", ".css", ".html", ".svg", ".txt", ".ttf")


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
    assert next(title for title in released if title != "Unreleased") == version
    assert len(released) == len(set(released))


def closure(requirements: Iterable[str]) -> set[str]:
    """The distributions that requirements need, by the metadata of those that are installed here."""
    found: set[str] = set()
    queue = [Requirement(text) for text in requirements]
    while queue:
        wanted = queue.pop()
        if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(wanted.name)
        queue += [Requirement(text) for text in distribution(wanted.name).requires or ()]
    return found


def link_distribution(name: str, site: Path) -> None:
    """Put a distribution that is installed here into another environment, file by file."""
    for file in distribution(name).files or ():
        if file.parts[0] == "..":  # its commands
            continue
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).symlink_to(Path(str(file.locate())).resolve())


@pytest.mark.slow
def test_the_wheel_works_where_only_its_core_dependencies_are(wheel: Path, tmp_path: Path) -> None:
    """In an environment that holds the wheel, the distributions that its metadata asks for, and nothing more."""
    environment, clean = tmp_path / "environment", {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, env=clean)
    (site,) = environment.glob("lib/python*/site-packages")
    (metadata,) = site.glob("localsr-*.dist-info/METADATA")
    needed = closure(re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE))
    for name in needed:
        link_distribution(name, site)
    subprocess.run([*pip, "check"], check=True, env=clean, capture_output=True)

    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    command = [str(environment / "bin/localsr"), "restore", "photo.png", "--box", "10,20,16,12", "-o", "region.png"]
    command += ["--compare", "sheet.png"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("region.png: 64 x 48 px, clsr, ")
    with Image.open(tmp_path / "region.png") as region, Image.open(tmp_path / "sheet.png") as sheet:
        assert region.size == (64, 48)
        assert sheet.width > sheet.height
    code = (
        "import importlib.util as u, localsr; print(localsr.__file__, u.find_spec('matplotlib'), u.find_spec('pytest'))"
    )
    done = subprocess.run([str(python), "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.stdout.split() == [str(site / "localsr/__init__.py"), "None", "None"], done.stderr
