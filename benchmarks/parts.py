"""Where the time of one ROI goes, part by part, beside the arithmetic floor of each; what profile.md shows.

    python benchmarks/parts.py [--model NAME|PATH] [--threads 1]

A part's time is the median over restorations of one ROI; its floor is its own FLOPs at the rate of a 3x3 convolution
of 64 channels, measured in the same run. One thread by default: the kernel's account of a thread's time does not count
what others do on a shared machine.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import localsr
from localsr.geometry import Box
from localsr.inference import execution
from localsr.inference.planning import WorkItem, plan_work
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.scene import Scene
from localsr.inference.scene_context import SceneContext
from localsr.inference.strategies import Strategy
from localsr.resize import resize

SIDES = (24, 128)
TURNS = 25


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="clsr-light-x4")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    random = np.random.default_rng(0)
    pixels = resize(random.random((3, 100, 100), np.float32), 1000, 1000).clip(0, 1).transpose(1, 2, 0)
    photo = localsr.read(np.rint(pixels * 255).astype(np.uint8))
    restorer = localsr.load(asked.model)
    scene = restorer.encode(photo)
    clock = time.thread_time if asked.threads == 1 else time.perf_counter
    conv = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(1, 64, 96, 96).to(memory_format=torch.channels_last)
    matrix = torch.randn(1024, 1024)
    with torch.inference_mode():
        rate = 2 * 96 * 96 * 64 * 64 * 9 / timed(lambda: conv(x), clock)
        product = 2 * 1024**3 / timed(lambda: matrix @ matrix, clock)
    print(f"{restorer.card.name}, torch {torch.__version__}, threads: {asked.threads}")
    print(f"3x3 convolution {rate / 1e9:.0f} GFLOPs a second, matrix product {product / 1e9:.0f}\n")
    for side in SIDES:
        table(scene, restorer.network, side, rate, clock)
    spent = timed(lambda: restorer.encode(photo)._context.get(), clock)
    context = SceneContext(restorer.network, photo, "")
    patches = context._pixels()
    reading = timed(context._pixels, clock)
    keys = timed(lambda: context._encode(patches), clock)
    print(f"encode: {spent * 1e3:.2f} ms, of it patches read {reading * 1e3:.2f}, keys and values {keys * 1e3:.2f}")


def table(scene: Scene, network: RunnableNetwork, side: int, rate: float, clock: Callable[[], float]) -> None:
    """Print the parts of one ROI in the middle of the picture."""
    box = Box.from_xywh(500 - side // 2, 500 - side // 2, side, side)
    running = scene._networks.network.module  # packed
    parts = {name: running.get_submodule(name) for name in PARTS}
    settings = scene._settings(Strategy.CLSR)
    (item,) = plan_work([box], settings)
    total_flops = item.load(settings).flops
    plainly = scene._inputs(settings)._replace(network=network)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        execution.restore_batch(plainly, [item])  # whose operators torch's table knows
    counted = counter.get_flop_counts()
    flops = {name: sum((counted.get(f"CLSR.{name}") or counted[type(parts[name]).__name__]).values()) for name in parts}
    flops["gcm"] += total_flops - counter.get_total_flops()  # its attention, for which torch counts 0 on a CPU
    spent: dict[str, list[float]] = defaultdict(list)
    hooks = [hook for name, part in parts.items() for hook in watched(name, part, spent, clock)]
    whole = []
    for _ in range(TURNS):
        began = clock()
        scene.restore(box)
        whole.append(clock() - began)
    for hook in hooks:
        hook.remove()
    spent["read"] = [read(scene, item, clock) for _ in range(TURNS)]
    total = median(whole)
    print(f"| {side} x {side} | ms | share | GFLOPs | floor, ms | times the floor |\n|---|" + "---:|" * 5)
    rest = total
    for name in ("read", *parts):
        part = median(spent[name])
        rest -= part
        told = "| | |"
        if name in flops:
            floor = flops[name] / rate
            told = f"{flops[name] / 1e9:.3f} | {floor * 1e3:.2f} | {part / floor:.2f} |"
        print(f"| {PARTS.get(name, 'windows read')} | {part * 1e3:.2f} | {part / total:.0%} | {told}")
    print(f"| planning, crops, levels, the rest | {rest * 1e3:.2f} | {rest / total:.0%} | | | |")
    floor = total_flops / rate
    print(f"| all | {total * 1e3:.2f} | | {total_flops / 1e9:.3f} | {floor * 1e3:.2f} | {total / floor:.2f} |\n")


PARTS = {
    "pim": "PIM",
    "backbone.head": "head",
    "backbone.stages.0": "stage 1",
    "gcm": "GCM",
    "backbone.stages.1": "stage 2",
    "backbone.stages.2": "stage 3",
    "backbone.tail": "tail",
    "backbone.upsample": "upsampler, bicubic skip",
}


def watched(
    name: str, part: nn.Module, spent: dict[str, list[float]], clock: Callable[[], float]
) -> tuple[torch.utils.hooks.RemovableHandle, ...]:
    """Note how long a module takes each time."""
    began = [0.0]

    def before(*_: object) -> None:
        began[0] = clock()

    def after(*_: object) -> None:
        spent[name].append(clock() - began[0])

    return part.register_forward_pre_hook(before), part.register_forward_hook(after)


def read(scene: Scene, item: WorkItem, clock: Callable[[], float]) -> float:
    """Time the reading of what an ROI needs."""
    began = clock()
    execution.read_windows(scene.photo, [(item.near, item.bounds)])
    return clock() - began


def timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Give the median seconds after a first call."""
    work()
    spent = []
    for _ in range(TURNS):
        began = clock()
        work()
        spent.append(clock() - began)
    return median(spent)


if __name__ == "__main__":
    main()
