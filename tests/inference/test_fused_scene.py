"""Regions from several frames: better than from one, never worse, and the bytes of one where there is one."""

from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
from networks import restorer, tiny
from numpy.typing import NDArray

import localsr
from localsr.geometry import Box
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.fused_scene import FusedScene

BOX = Box(36, 30, 68, 58)


def fine(seed: int, height: int = 400, width: int = 480) -> NDArray[np.float32]:
    """A scene four times as fine as its frames: noise with the spectrum of a photo, and edges."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(width), np.fft.fftfreq(height)))
    waves = (
        np.fft.fft2(random.standard_normal((height, width, 3)), axes=(0, 1))
        / np.maximum(frequency, 1 / width)[..., None]
    )
    noise = np.fft.ifft2(waves, axes=(0, 1)).real
    noise /= noise.std()
    return (0.5 + 0.15 * noise + 0.1 * np.sign(noise - 0.5)).clip(0, 1).astype(np.float32)


def burst(seed: int, count: int, noise: float = 8 / 255) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Frames of a scene that shift by parts of a pixel, and the scene: HR that they were made from."""
    random, scene = np.random.default_rng(seed), fine(seed)
    frames = []
    for n in range(count):
        shift = random.uniform(-8, 8, 2) if n else np.zeros(2)
        map_ = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        height, width = scene.shape[:2]
        moved = cv2.warpAffine(
            scene, map_, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
        )
        seen = moved.reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))
        frames.append(np.rint((seen + random.standard_normal(seen.shape) * noise).clip(0, 1) * 255).astype(np.uint8))
    return frames, scene.transpose(2, 0, 1)


def psnr(pixels: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    return float(-10 * np.log10(np.square(pixels - truth).mean()))


@pytest.fixture(scope="module")
def network() -> localsr.Restorer:
    return localsr.load("edsr-light-x4", device="cpu")


def gain(network: localsr.Restorer, frames: list[NDArray[np.uint8]], truth: NDArray[np.float32]) -> float:
    """Decibels that frames bring to BOX over the reference alone."""
    scene = network.encode(localsr.read_frames(frames))
    found, one = scene.restore(BOX), network.encode(frames[0]).restore(BOX)
    here = BOX.scaled(4)
    own = truth[:, here.rows, here.columns]
    return psnr(found.pixels, own) - psnr(one.pixels, own)


def test_frames_of_one_scene_bring_decibels(network: localsr.Restorer) -> None:
    frames, truth = burst(1, 7)
    assert gain(network, frames, truth) > 0.5  # measured 0.81


def test_other_scenes_bring_nothing_and_cost_nothing(network: localsr.Restorer) -> None:
    frames, truth = burst(2, 3)
    strangers = burst(9, 3)[0]
    found = network.encode(localsr.read_frames([frames[0], *strangers])).restore(BOX)
    assert isinstance(found, FusedRestoration)
    assert [use.reason for use in found.uses] == ["it does not show the region"] * 3
    assert np.array_equal(found.pixels, network.encode(frames[0]).restore(BOX).pixels)
    assert not found.share.any()
    assert gain(network, [*frames, *strangers], truth) > 0.3


def test_an_occluder_costs_nothing(network: localsr.Restorer) -> None:
    frames, truth = burst(3, 4)
    rest = [frame.copy() for frame in frames]
    for n, frame in enumerate(rest[1:]):
        frame[34:50, 40 + 6 * n : 52 + 6 * n] = (20, 200, 40)
    assert gain(network, rest, truth) > 0


def test_what_became_of_each_frame(network: localsr.Restorer) -> None:
    frames, _ = burst(4, 3)
    blurred = cv2.GaussianBlur(frames[1], (0, 0), 3)
    given = [frames[0], frames[0], frames[1], frames[1], blurred, frames[2]]
    uses = network.encode(localsr.read_frames(given)).restore(BOX).uses
    told = {use.name: use.reason for use in uses}
    assert told == {
        "photo 2": "it is the reference once more",
        "photo 3": "",
        "photo 4": "it is photo 3 once more",
        "photo 5": "it is blurred",
        "photo 6": "",
    }
    assert all(use.used == (not use.reason) for use in uses)


def test_two_frames_cannot_check_each_other(network: localsr.Restorer) -> None:
    frames, _ = burst(4, 2)
    found = network.encode(localsr.read_frames(frames)).restore(BOX)
    assert [use.reason for use in found.uses] == ["it is the only one, and a second one would have to check it"]
    assert np.array_equal(found.pixels, network.encode(frames[0]).restore(BOX).pixels)


def test_one_frame_gives_the_bytes_of_a_photo() -> None:
    network = restorer(tiny())
    frames, _ = burst(5, 1)
    scene = network.encode(localsr.read_frames(frames))
    assert not isinstance(scene, FusedScene)
    assert np.array_equal(scene.restore(BOX).pixels, network.encode(frames[0]).restore(BOX).pixels)


def test_the_protocol_of_a_scene(tmp_path: Path) -> None:
    network = restorer(tiny())
    frames, _ = burst(6, 3)
    scene = network.encode(localsr.read_frames(frames))
    assert isinstance(scene, FusedScene)
    boxes = [Box(0, 0, 9, 9), BOX]
    several = scene.restore(boxes)
    assert [one.box for one in several] == boxes
    assert [one.pixels.shape for one in several] == [(3, 4 * b.height, 4 * b.width) for b in boxes]
    assert np.array_equal(several[1].pixels, scene.restore(BOX).pixels)
    assert np.array_equal(scene.bounded(2**24).restore(BOX).pixels, several[1].pixels)
    assert np.array_equal(next(iter(scene.pieces(BOX))).pixels, several[1].pixels)
    alone = network.encode(frames[0])
    assert scene.planned([BOX]).gflops == pytest.approx(3 * alone.planned([BOX.grow(4)]).gflops)
    scene.paste(tmp_path / "all.png", [BOX])
    assert localsr.read(tmp_path / "all.png").size == localsr.Size(480, 400)
    with pytest.raises(localsr.BoxError, match="leaves the picture"):
        scene.restore(Box(100, 90, 130, 110))
    assert scene.restore(Box(100, 90, 130, 110), clip=True).box == Box(100, 90, 120, 100)


def test_a_large_box_is_registered_in_parts_without_seams(
    network: localsr.Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localsr.inference import fused_scene

    frames, truth = burst(7, 3)
    scene, box = network.encode(localsr.read_frames(frames)), Box(8, 8, 88, 60)
    whole = scene.restore(box).pixels
    monkeypatch.setattr(fused_scene, "TILE_SIDE", 40)
    parts = scene.restore(box).pixels
    here = box.scaled(4)
    own = truth[:, here.rows, here.columns]
    assert psnr(parts, own) > psnr(whole, own) - 0.1
    assert np.abs(parts - whole).mean() < 0.01


def test_a_clip_is_restored() -> None:
    network, frames = restorer(tiny()), burst(8, 5)[0]
    found = network.encode(localsr.read_frames(clips.encoded(frames), at=0.08, count=5)).restore(BOX)
    assert isinstance(found, FusedRestoration)
    assert sum(use.used for use in found.uses) == 4
