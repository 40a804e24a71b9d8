"""A region followed through a clip whose motion is known, until it is lost."""

import clips
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import localsr
from localsr.errors import BoxError, ConfigError, TrackLostError
from localsr.frames import decoding
from localsr.frames.tracking import TrackedFrames, follow
from localsr.geometry import Box
from localsr.inference.fused_restoration import FusedRestoration

BOX = Box(50, 40, 82, 64)
HEIGHT, WIDTH = 112, 160


def texture(seed: int, height: int, width: int) -> NDArray[np.float32]:
    """Blobs of a few px and a grain."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return (0.5 + 0.15 * smooth / smooth.std() + 0.03 * noise).clip(0, 1).astype(np.float32)


def path(n: int) -> tuple[float, float]:
    """By how much the scene has moved in frame n."""
    return 1.3 * n - 0.02 * n * n, 4 * np.sin(n / 4)


def frames(count: int, *, turn: float = 0.0, zoom: float = 1.0) -> list[NDArray[np.uint8]]:
    """Frames of one scene that moves along `path`, turns by degrees and grows with each frame."""
    scene, random, found = texture(0, 200, 260), np.random.default_rng(1), []
    for n in range(count):
        matrix = cv2.getRotationMatrix2D((80 + 66 - 0.5, 60 + 52 - 0.5), turn * n, zoom**n)
        matrix[:, 2] += np.array(path(n)) - (80, 60)
        seen = cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
        seen = seen + 0.01 * random.standard_normal(seen.shape)
        found.append(np.rint(seen.clip(0, 1) * 255).astype(np.uint8))
    return found


def places(data: bytes, box: Box = BOX, **how: float) -> list[TrackedFrames]:
    return list(follow(data, box, count=1, **how))


def furthest(found: list[TrackedFrames]) -> float:
    """The largest distance from the true path in px."""
    true = [np.add((BOX.left, BOX.top), path(n)) for n in range(len(found))]
    return max(float(np.hypot(*np.subtract(one.place, at))) for one, at in zip(found, true, strict=True))


@pytest.mark.parametrize(("turn", "zoom"), [(0.0, 1.0), (0.6, 1.0), (0.0, 1.015)])
def test_a_region_is_followed_without_drift(turn: float, zoom: float) -> None:
    found = places(clips.encoded(frames(24, turn=turn, zoom=zoom)))
    assert [round(one.seconds, 3) for one in found] == [round(0.04 * n, 3) for n in range(24)]
    assert found[0].place == (50, 40)
    assert furthest(found) < 0.3
    assert [one.number for one in found] == list(range(1, 25))
    assert found[-1].of == 24


def test_neighbours_come_with_their_motion() -> None:
    found = list(follow(clips.encoded(frames(12)), BOX, at=0.2, until=0.3, count=3))
    assert [round(one.seconds, 2) for one in found] == [0.2, 0.24, 0.28]
    steps = {frame.step: frame.motion for frame in found[1].frames.others}
    assert set(steps) == {-2, -1, 1, 2}
    assert steps[-2] is None  # before the first moment nothing is tracked
    for step in (-1, 1, 2):
        assert steps[step] == pytest.approx(np.subtract(path(6 + step), path(6)), abs=0.2)
    assert [abs(frame.step) for frame in found[1].frames.others] == [1, 1, 2, 2]
    assert found[0].frames.reference.sha256()  # of the clip


def test_a_lost_region_is_said_after_all_before_it() -> None:
    moving = frames(10)
    cut = [np.rint(texture(5, HEIGHT, WIDTH) * 255).astype(np.uint8)] * 3
    seen: list[TrackedFrames] = []
    with pytest.raises(TrackLostError, match=r"lost at 0\.400 s: its correlation with the first view is 0\.\d\d, at l"):
        seen.extend(follow(clips.encoded([*moving, *cut]), BOX, count=5))
    assert len(seen) == 10
    assert len(list(follow(clips.encoded([*moving, *cut]), BOX, until=0.3, count=9))) == 8  # lost after that


def test_something_slides_over_the_region_until_it_is_lost() -> None:
    covered = frames(24)
    for n, frame in enumerate(covered):
        frame[:, : 8 * n] = np.rint(texture(7, HEIGHT, WIDTH) * 255).astype(np.uint8)[:, : 8 * n]
    seen: list[TrackedFrames] = []
    with pytest.raises(TrackLostError, match="the region is lost"):
        seen.extend(follow(clips.encoded(covered), BOX, count=1))
    assert furthest(seen) < 1
    assert 4 < len(seen) < 14


def test_a_region_that_leaves_the_picture() -> None:
    with pytest.raises(TrackLostError, match=r"the region leaves the picture at 0\.\d+ s"):
        places(clips.encoded(frames(30)), Box(126, 40, 156, 64))


def test_what_cannot_be_tracked() -> None:
    data = clips.encoded(frames(3))
    with pytest.raises(BoxError, match="leaves the picture"):
        places(data, Box(150, 40, 180, 64))
    with pytest.raises(ConfigError, match=r"the last moment, 0\.1 s, must come after the first, 0\.5 s"):
        places(data, at=0.5, until=0.1)
    with pytest.raises(ConfigError, match="give 1 to 33"):
        list(follow(data, BOX, count=40))
    with pytest.raises(ConfigError, match="no frame at 9 s"):
        places(data, at=9)
    with pytest.raises(ConfigError, match="has pages; a region is tracked through a clip"):
        places(b"GIF89a" + b"\0" * 20)


def test_memory_bounds_how_many_neighbours_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_HELD_BYTES", 4 * 3 * WIDTH * HEIGHT)
    found = list(follow(clips.encoded(frames(8)), BOX, count=9))
    assert len(found) == 8
    assert max(len(one.frames.others) for one in found) == 4
    assert len(localsr.read_frames(clips.encoded(frames(8)), at=0.16).others) == 4


def test_regions_are_restored_where_they_are() -> None:
    network, steps = localsr.load("edsr-light-x4", device="cpu"), []
    data = clips.encoded(frames(4))
    found = list(network.track(data, BOX, count=3, progress=lambda done, of: steps.append((done, of))))
    assert steps == [(n, 4) for n in range(1, 5)]
    first = network.encode(localsr.read_frames(data, count=3)).restore(BOX)
    assert isinstance(found[0].restoration, FusedRestoration)
    assert np.abs(found[0].restoration.pixels - first.pixels).mean() < 0.002  # neighbours begin where they were tracked
    for n, one in enumerate(found):
        assert one.restoration.pixels.shape == one.restoration.single.shape == (3, 96, 128)
        assert one.restoration.box.size == BOX.size
        assert one.place == pytest.approx(np.add((50, 40), path(n)), abs=0.2)
        still = np.abs(one.restoration.single - found[0].restoration.single).mean()
        assert still < 0.018  # two frames' noise; boxes of whole pixels would leave 0.026
