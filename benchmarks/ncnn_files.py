"""Networks as ncnn's files, `.param` and `.bin`: read into the tables that Real-ESRGAN publishes, and run by ncnn.

`python benchmarks/ncnn_files.py STEM IN.npy OUT.npy` runs one on a CPU in fp32, by the package ncnn. It is a program of
its own since ncnn computes nonsense in a process where torch is imported, each with an OpenMP of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
MAGIC, HALF = "7767517", 0x01306B47  # of the text file; of weights that are 16-bit floats


def tables_of(stem: Path) -> dict[str, Weights]:
    """Return an RRDBNet or an SRVGGNetCompact by its authors' names, whichever `stem.param` and `stem.bin` hold."""
    layers = read_layers(stem)
    if any(kind == "PReLU" for kind, _ in layers):
        return {f"body.{k}.{leaf}": t for k, (_, tensors) in enumerate(layers) for leaf, t in tensors.items()}
    blocks, rest = divmod(len(layers) - 6, 15)
    if rest:
        raise SystemExit(f"{stem} has {len(layers)} convolutions; an RRDBNet has 6, and 15 for each block")
    names = [f"body.{b}.rdb{d}.conv{c}" for b in range(blocks) for d in (1, 2, 3) for c in range(1, 6)]
    names = ["conv_first", *names, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    return {
        f"{name}.{leaf}": t for name, (_, tensors) in zip(names, layers, strict=True) for leaf, t in tensors.items()
    }


def read_layers(stem: Path) -> list[tuple[str, dict[str, Weights]]]:
    """Return the layers that have weights, in their order: `Convolution` and `PReLU`."""
    magic, _, *lines = stem.with_name(f"{stem.name}.param").read_text().splitlines()
    data, at, found = stem.with_name(f"{stem.name}.bin").read_bytes(), 0, []
    if magic != MAGIC:
        raise SystemExit(f"{stem}.param is no text file of ncnn")

    def take(count: int, kind: str) -> Weights:
        nonlocal at
        part = np.frombuffer(data, kind, count, at).astype(np.float32)
        at += -(-count * np.dtype(kind).itemsize // 4) * 4
        return part

    for line in lines:
        kind, _, inputs, outputs, *rest = line.split()
        told = dict(each.split("=", 1) for each in rest[int(inputs) + int(outputs) :])
        if kind == "Convolution":
            out, side, count = int(told["0"]), int(told["1"]), int(told["6"])
            tag = int.from_bytes(data[at : at + 4], "little")
            at += 4
            weight = take(count, "<f2" if tag == HALF else "<f4").reshape(out, -1, side, side)
            found.append((kind, {"weight": weight, "bias": take(out, "<f4")}))
        elif kind == "PReLU":
            found.append((kind, {"weight": take(int(told["0"]), "<f4")}))
    if at != len(data):
        raise SystemExit(f"{stem}.bin has {len(data)} bytes, and its layers take {at}")
    return found


def run_ncnn(stem: Path, pixels: Weights) -> Weights:
    """Return what a network makes of `(3, h, w)` in [0, 1]."""
    import ncnn

    net = ncnn.Net()
    for part in ("packed", "storage", "arithmetic"):
        setattr(net.opt, f"use_fp16_{part}", False)
    net.load_param(f"{stem}.param")
    net.load_model(f"{stem}.bin")
    run = net.create_extractor()
    given = np.ascontiguousarray(pixels)  # in a variable: a Mat does not keep it alive
    run.input("data", ncnn.Mat(given))
    return np.array(run.extract("output")[1])


if __name__ == "__main__":
    stem, source, target = map(Path, sys.argv[1:])
    np.save(target, run_ncnn(stem, np.load(source)))
