"""Which architecture learns fastest for its cost: candidates trained for equal seconds of one CPU core.

Run `race.py train FOLDER NAME MINUTES` for one candidate, which goes on from where it was left, `race.py speed` for
what each costs, `race.py table FOLDER` for what was found. The rate is constant and what is measured is the moving
average of the weights, so that a race can always go on. Pictures and teachers are those of recipes/trunk-x4.toml.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from candidates import CANDIDATES, Candidate, Folded, begin
from localsr.data.benchmark import Benchmark
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from localsr import metrics
from localsr.geometry import Size, tiles, whole
from localsr.models.backbone import crop
from localsr.models.windows import Taper
from localsr.training.muon import Muon

ROOT = Path(__file__).parents[2] / "shared/data"
SIDE, BATCH, RATE, DECAY = 64, 8, 1e-3, 0.998  # half the rate for those that start from trained weights
HELD = 25  # every so manieth picture is not trained on: the race is judged by those
MARKS = 2.0  # minutes of CPU between two measurements


class Picture(NamedTuple):
    """What is known of a picture, each uint8 RGB `(3, h, w)` or four times that."""

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    taught: NDArray[np.uint8]


def pictures(*, held: bool) -> list[Picture]:
    """Map the taught pictures of the cache: those held out, or all others."""
    found = []
    for path in sorted(CACHE.glob("pairs-x4-*/taught-*.bin")):
        lr, hr, taught = (
            np.memmap(p, np.uint8, "r") for p in (path.with_name("lr.bin"), path.with_name("hr.bin"), path)
        )
        at = 0
        for k, (h, w) in enumerate(json.loads(path.with_name("index.json").read_text())["sizes"]):
            small, large = slice(at, at + 3 * h * w), slice(16 * at, 16 * (at + 3 * h * w))
            at = small.stop
            if (k % HELD == 0) == held and min(h, w) >= SIDE:
                shape = (3, 4 * h, 4 * w)
                maps = lr[small].reshape(3, h, w), hr[large].reshape(shape), taught[large].reshape(shape)
                found.append(Picture(*maps))
    return found


def batch(among: list[Picture], shares: NDArray[np.float64], step: int) -> list[Tensor]:
    """Draw LR and target of a step, turned and mirrored."""
    random = np.random.default_rng(step)
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for k in random.choice(len(among), BATCH, p=shares):
        lr, _, taught = among[k]
        y, x = (int(random.integers(side - SIDE + 1)) for side in lr.shape[1:])
        turn, mirror = int(random.integers(4)), int(random.integers(2))
        for part, scale, drawn in ((lr, 1, parts[0]), (taught, 4, parts[1])):
            window = part[:, scale * y : scale * (y + SIDE), scale * x : scale * (x + SIDE)]
            window = np.rot90(window, turn, (1, 2))
            drawn.append(torch.from_numpy((window[:, :, ::-1] if mirror else window).copy()))
    return [floats(torch.stack(part)) for part in parts]


def floats(levels: Tensor) -> Tensor:
    """Turn levels into what a network reads."""
    return levels.float().div(255).contiguous(memory_format=torch.channels_last)


def at_once(net: Candidate, size: Size) -> Taper:
    """Return the taper of a whole picture."""
    return Taper.around(whole(size), size, (0,) * (len(net.stages) + 1))


@torch.no_grad()
def restored(net: Candidate, lr: Tensor, *, halo: bool) -> Tensor:
    """Restore a whole picture `(1, 3, h, w)` at once, or region by region of 24 px with the halo kept."""
    size = Size(lr.shape[-1], lr.shape[-2])
    if not halo:
        return net(lr, at_once(net, size))[0]
    parts = []
    for box in tiles(whole(size), 24):
        taper = Taper.around(box, size, net.halo)
        parts.append(net(crop(lr, taper.windows[0]).contiguous(memory_format=torch.channels_last), taper)[0])
    return metrics.stack(torch.stack(parts), size.width // 24)


def score(net: Candidate, data: str, limit: int | None = None, *, halo: bool = False) -> float:
    """Return the mean PSNR over a set, or over the first 40 pictures held out."""
    if data == "held":
        pairs = [
            (p.lr[:, : p.lr.shape[1] // 24 * 24, : p.lr.shape[2] // 24 * 24], p.hr) for p in pictures(held=True)[:40]
        ]
    else:
        data_set = Benchmark(ROOT / "test" / data, 4, 24, limit)
        pairs = [(pair.lr.transpose(2, 0, 1), pair.hr) for pair in (data_set[k] for k in range(len(data_set)))]
    values = []
    for lr, hr in pairs:
        y = restored(net, floats(torch.from_numpy(lr.copy())[None]), halo=halo)
        truth = torch.from_numpy(hr[:, : y.shape[1], : y.shape[2]].copy()).float()
        values.append(metrics.psnr_y(metrics.levels(y), truth))
    return float(np.mean(values))


def train(folder: Path, name: str, minutes: float) -> None:
    """Train a candidate until it has had so many minutes of CPU."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = CANDIDATES[name]().to(memory_format=torch.channels_last).train()
    if name.endswith("+"):
        begin(net)
    rate = RATE / 2 if name.endswith("+") else RATE
    optimizer = Muon(net, rate) if "muon" in name else torch.optim.Adam(net.parameters(), rate, betas=(0.9, 0.99))
    ema = {k: v.clone() for k, v in net.state_dict().items()}
    state, log = folder / f"{name}.pt", folder / f"{name}.jsonl"
    step, spent = 0, 0.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        ema, step, spent = saved["ema"], saved["step"], saved["spent"]
    among = pictures(held=False)
    shares = np.array([picture.lr.size for picture in among], float)
    shares /= shares.sum()
    taper, losses = at_once(net, Size(SIDE, SIDE)), []
    mark, began = spent + MARKS * 60, time.process_time() - spent
    while spent < minutes * 60:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100)
        losses.append(advance(net, optimizer, batch(among, shares, step), taper))
        step, spent = step + 1, time.process_time() - began
        for k, v in net.state_dict().items():
            ema[k].lerp_(v, 1 - min(DECAY, (1 + step) / (10 + step)))
        if spent >= min(mark, minutes * 60):
            average = CANDIDATES[name]().to(memory_format=torch.channels_last).eval()
            average.load_state_dict(ema)
            row = {"name": name, "minutes": spent / 60, "steps": step, "loss": float(np.mean(losses))}
            row["held"] = score(average, "held")
            if spent >= minutes * 60:
                row |= {"set14": score(average, "set14"), "set14-halo": score(average, "set14", halo=True)}
                row["bsd100"] = score(average, "bsd100", 30)
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            mark, losses = spent + MARKS * 60, []
            began = time.process_time() - spent  # measuring costs nothing
    done = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "step": step, "spent": spent}
    torch.save(done, state)


def advance(net: Candidate, optimizer: torch.optim.Optimizer, pair: list[Tensor], taper: Taper) -> float:
    """Take a step; the border of 4 LR px does not count, of which the network has seen too little."""
    with torch.autocast("cpu", torch.bfloat16):
        y = net(pair[0], taper)
    loss = functional.l1_loss(y.float()[..., 16:-16, 16:-16], pair[1][..., 16:-16, 16:-16])
    net.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def seconds(work: Callable[[], object], times: int) -> Iterator[float]:
    """Time some work again and again, in seconds of CPU."""
    for _ in range(times):
        began = time.process_time()
        work()
        yield time.process_time() - began


def speed() -> None:
    """Measure a region of 24 px with its halo, in fp32 on one core, and a step of training."""
    torch.set_num_threads(1)
    big = Size(96, 96)
    for name, make in CANDIDATES.items():
        net = make().to(memory_format=torch.channels_last)
        pair = [floats(torch.rand(BATCH, 3, SIDE * s, SIDE * s) * 255) for s in (1, 4)]
        optimizer, taper = torch.optim.Adam(net.parameters()), at_once(net, Size(SIDE, SIDE))
        step = min(seconds(partial(advance, net, optimizer, pair, taper), 4))
        near = Taper.around(tiles(whole(big), 24)[5], big, net.halo)
        part = floats(torch.rand(1, 3, near.windows[0].height, near.windows[0].width))
        with torch.inference_mode():
            region = min(seconds(partial(net.eval(), part, near), 60))
        macs = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d))
        macs += sum(m.given.numel() for m in net.modules() if isinstance(m, Folded))
        print(f"{name:10} {2 * macs / 1e6:.3f} MFLOPs/px, step {step:.3f} s, region {1e3 * region:.2f} ms", flush=True)


def table(folder: Path) -> None:
    """Print the last row of each candidate."""
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        print(path.stem, [(round(r["minutes"], 1), r["steps"], round(r["held"], 3)) for r in rows])
        print("   ", {k: round(v, 4) for k, v in rows[-1].items() if isinstance(v, float)})


CACHE = Path("runs/cache")
if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "train":
        Path(rest[0]).mkdir(parents=True, exist_ok=True)
        train(Path(rest[0]), rest[1], float(rest[2]))
    elif what == "speed":
        speed()
    else:
        table(Path(rest[0]))
