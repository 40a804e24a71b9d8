"""What is sent to other processes, and copied: restorations always, photos and scenes of files, restorers."""

import copy
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import localsr
from localsr.geometry import Box

BOX = Box(3, 4, 20, 30)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)


@pytest.fixture
def path(pixels: np.ndarray, tmp_path: Path) -> Path:
    Image.fromarray(pixels).save(tmp_path / "a.png", dpi=(300, 300))
    return tmp_path / "a.png"


@pytest.fixture(scope="module")
def restorer() -> localsr.Restorer:
    return localsr.load("clsr-light-x4", device="cpu")


def sent(thing: object) -> object:
    return pickle.loads(pickle.dumps(thing))


def test_a_restoration_of_anything(restorer: localsr.Restorer, pixels: np.ndarray, path: Path, tmp_path: Path) -> None:
    """Its pixels, what it says of itself, and the file that it is saved to are the same."""
    for source in (path, path.read_bytes(), pixels, Image.open(path)):
        found = restorer.encode(source).restore(BOX)
        found.save(tmp_path / "one.png")
        for other in (sent(found), copy.copy(found), copy.deepcopy(found)):
            assert isinstance(other, localsr.Restoration)
            assert repr(other) == repr(found)
            assert other.provenance == found.provenance
            assert np.array_equal(np.asarray(other), np.asarray(found))
            assert (other.photo.size, other.photo.name) == (found.photo.size, found.photo.name)
            other.save(tmp_path / "other.png")
            again = [np.asarray(Image.open(tmp_path / name)) for name in ("one.png", "other.png")]
            assert np.array_equal(*again)
        assert copy.copy(found).pixels is found.pixels
        assert copy.deepcopy(found).pixels is not found.pixels
        with pytest.raises(localsr.ImageError, match=r"the pixels of .* stayed in another process; read it here"):
            sent(found).photo.window(BOX)  # type: ignore[attr-defined]
        assert isinstance(sent(sent(found)), localsr.Restoration)


def test_photos_and_scenes_of_files(restorer: localsr.Restorer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    for source in (path.name, path, path.read_bytes()):
        photo = localsr.read(source)
        monkeypatch.chdir("/")
        for one in (sent(photo), copy.copy(photo), copy.deepcopy(photo)):
            assert isinstance(one, localsr.Photo)
            assert np.array_equal(one.window(BOX), photo.window(BOX))
        monkeypatch.chdir(path.parent)
        scene = restorer.encode(photo)
        before = scene.restore(BOX).pixels
        for other in (sent(scene), copy.copy(scene), copy.deepcopy(scene)):
            assert isinstance(other, localsr.Scene)
            assert np.array_equal(other.restore(BOX).pixels, before)


def test_a_file_that_has_changed_is_another_photo(path: Path) -> None:
    data = pickle.dumps(localsr.read(path))
    os.utime(path, ns=(1, 1))
    with pytest.raises(localsr.ImageError, match=r"a.png has changed since it was read, or gone; read it anew"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(localsr.ImageError, match="or gone"):
        pickle.loads(data)


def test_photos_in_memory_say_what_to_do(restorer: localsr.Restorer, pixels: np.ndarray) -> None:
    photo = localsr.read(pixels)
    assert copy.deepcopy(photo) is photo
    assert copy.deepcopy(restorer.encode(photo)).photo is photo
    for thing in (photo, restorer.encode(photo)):
        with pytest.raises(localsr.ImageError, match="send the array and read it there, or save it and read the file"):
            pickle.dumps(thing)


def test_a_restorer_that_has_worked(restorer: localsr.Restorer, pixels: np.ndarray) -> None:
    """Weights that are kept in another order for one machine stay there."""
    before = restorer.encode(pixels).restore([BOX, BOX.shifted(1, 1), BOX])
    for other in (sent(restorer), copy.copy(restorer), copy.deepcopy(restorer)):
        assert isinstance(other, localsr.Restorer)
        assert np.array_equal(other.encode(pixels).restore(BOX).pixels, before[0].pixels)


def _restore(scene: localsr.Scene) -> localsr.Restoration:
    return scene.restore(BOX)


@pytest.mark.slow
def test_a_process_that_begins_afresh(restorer: localsr.Restorer, path: Path) -> None:
    scene = restorer.encode(path)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(_restore, scene).result(120)
    np.testing.assert_allclose(found.pixels, scene.restore(BOX).pixels, atol=1e-5)
