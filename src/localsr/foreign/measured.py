"""What was measured of networks of others, kept in the user's cache: each is measured once."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import torch

from localsr.errors import CheckpointError, LocalSRError, OutputError
from localsr.files import write_whole
from localsr.foreign.black_box import ForeignNetwork
from localsr.foreign.probe import HALF_LEVEL, MAX_GRID, VERSION, Measurement, Pixels, Upscale, measure, noise_and_bars
from localsr.models.counting import count
from localsr.models.work import WorkLoad

COUNTED_SIDE = 64  # px of the patch whose FLOPs and memory are counted
MAX_KEPT_BYTES = 2**20
MAX_COLOUR = 8.0  # that most pixels stay below; those of networks whose white is 255 do not
log = logging.getLogger(__name__)


class Known(NamedTuple):
    """What is kept of a network."""

    found: Measurement
    per_pixel: WorkLoad


def known(network: ForeignNetwork, sha256: str, counted: Callable[[], WorkLoad] | None = None) -> Known:
    """Return what is known of a network of weights `sha256`; measure it, once, where nothing is.

    `counted` says what an LR pixel takes, for networks that torch does not run.
    """
    path = platformdirs.user_cache_path("localsr") / "halo" / f"{sha256[:32]}-{VERSION}-fp32.json"
    kept = _read(path)
    if kept is None:
        log.warning("measuring, once, how much halo this %s needs", network.architecture)
        kept = Known(_measured(network), _counted(network) if counted is None else counted())
        about = {"found": dataclasses.asdict(kept.found), "per_pixel": kept.per_pixel._asdict()}
        try:
            write_whole(path, json.dumps(about).encode())
        except OutputError:
            pass  # where the cache cannot be written, it is measured again in each process
    return kept


def _measured(network: ForeignNetwork) -> Measurement:
    """Probe a network on the smallest sides that it takes."""

    def upscale(pixels: Pixels) -> Pixels:
        with torch.inference_mode():
            y = network.upscale(torch.from_numpy(pixels)[None].to(network.device))
        made: Pixels = y[0].float().cpu().numpy()
        return made

    multiple = _multiple(upscale)
    _check_results(upscale, -(-COUNTED_SIDE // multiple) * multiple)
    return measure(upscale, network.scale, multiple=multiple)


def _check_results(upscale: Upscale, side: int) -> None:
    """Refuse a network that makes no picture of noise, or another one each time."""
    patch = next(noise_and_bars(side))
    made, again = upscale(patch), upscale(patch)
    if not np.isfinite(made).all():
        raise CheckpointError("the network makes no finite numbers of a picture; its weights are damaged")
    if np.median(np.abs(made)) > MAX_COLOUR:
        raise CheckpointError(f"the network makes colours up to {made.max():.0f}; those of localsr go from 0 to 1")
    if np.abs(made - again).max() > HALF_LEVEL:
        raise CheckpointError("the network makes another picture each time that it is run, so nothing can be measured")


def _multiple(upscale: Upscale) -> int:
    """Return the smallest of 1, 2, 4, ... 64 px whose odd multiples a network takes as sides."""
    step = 1
    while step <= MAX_GRID:
        side = step * (2 * (32 // step) + 1)
        try:
            upscale(np.full((3, side, side), 0.5, np.float32))
        except (LocalSRError, RuntimeError, ValueError, AssertionError):  # whatever networks of others say
            step *= 2
        else:
            return step
    raise CheckpointError(f"the network takes no picture whose sides are multiples of {MAX_GRID} px")


def _counted(network: ForeignNetwork) -> WorkLoad:
    """Count what an LR pixel takes, by running a patch."""
    x = torch.full((1, 3, COUNTED_SIDE, COUNTED_SIDE), 0.5, device=network.device)
    load, area = count(lambda: network.upscale(x)), COUNTED_SIDE**2
    return WorkLoad(load.flops // area, load.bytes // area)


def _read(path: Path) -> Known | None:
    """Read what is kept; None for nothing, or what is damaged."""
    try:
        if path.stat().st_size > MAX_KEPT_BYTES:
            return None
        about = json.loads(path.read_text())
        largest, rms = (tuple(float(v) for v in about["found"].pop(name)) for name in ("largest", "rms"))
        found = Measurement(**about["found"], largest=largest, rms=rms)
        if not (0 <= found.halo <= 2**10 and 1 <= found.grid <= MAX_GRID and found.largest):
            return None
        return Known(found, WorkLoad(int(about["per_pixel"]["flops"]), int(about["per_pixel"]["bytes"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
