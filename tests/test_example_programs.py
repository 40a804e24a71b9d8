"""The programs and the notebook of examples/ do what they say."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import localsr

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
BOX = localsr.Box(40, 60, 168, 156)


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with street.jpg, 180 x 160."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (160, 180, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("street.jpg", quality=95)
    return tmp_path


def run_example(name: str, *args: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(localsr.__file__).parents[1])}
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *args]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_restored(path: str) -> bool:
    """Tell whether a file holds what the library makes of `BOX`, but for rounding to 8 bits, in 16 bits perhaps."""
    expected = localsr.restore("street.jpg", BOX).pixels
    found = localsr.read(path).window(localsr.Box(0, 0, 512, 384))
    return float(np.abs(found - expected).max()) < 2 / 255  # of pure noise; 16 bits are one level of photos apart


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        assert f'"{path.name}"' in text


def test_one_region(street: Path) -> None:
    out = run_example("restore_region.py", "street.jpg", "sign.png", "40", "60", "128", "96")
    assert out.startswith("sign.png: 512 x 384 px by clsr in ")
    assert is_restored("sign.png")


def test_many_regions(street: Path) -> None:
    out = run_example("many_regions.py", "street.jpg", "parts", "80")
    assert out.endswith("6 regions in parts\n")
    sizes = {path.name: localsr.read(path).size for path in Path("parts").iterdir()}
    assert len(sizes) == 6
    assert sizes["0-0.png"] == localsr.Size(320, 320)
    assert sizes["160-80.png"] == localsr.Size(80, 320)


def test_faces_of_a_folder(street: Path) -> None:
    if find_spec("cv2") is None or find_spec("matplotlib") is None:
        pytest.skip("needs OpenCV, and the photo that comes with matplotlib")
    from matplotlib.cbook import get_sample_data

    Path("party").mkdir()
    Path("street.jpg").rename("party/street.jpg")
    Path("party/hopper.jpg").write_bytes(Path(get_sample_data("grace_hopper.jpg", asfileobj=False)).read_bytes())
    assert run_example("faces_of_folder.py", "party", "large") == "hopper.jpg: 1 found\nstreet.jpg: 0 found\n"
    assert [path.name for path in Path("large").iterdir()] == ["hopper.jpg"]
    with Image.open("party/hopper.jpg") as photo, Image.open("large/hopper.jpg") as large:
        assert large.size == (4 * photo.width, 4 * photo.height)


def test_a_scene_in_another_process(street: Path) -> None:
    assert run_example("saved_scene.py", "street.jpg", "sign.png").startswith("the scene takes ")
    assert is_restored("sign.png")


def test_a_service_and_a_client(street: Path) -> None:
    if find_spec("fastapi") is None:
        pytest.skip("needs the extra serve")
    out = run_example("service_and_client.py", "street.jpg", "sign.png")
    assert out.startswith("sign.png: restored by http://127.0.0.1:")
    assert is_restored("sign.png")


def test_the_notebook(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((EXAMPLES / "strategies.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), "strategies.ipynb", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["crop", "halo", "clsr", "full"] * 2
    apart = {line.split(":")[0]: float(line.split(":")[1]) for line in lines[4:]}
    assert apart["full"] == 0 < apart["halo"] < apart["crop"]
