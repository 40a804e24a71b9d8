"""Which architecture learns fastest for its cost: candidates trained for equal seconds of one CPU core.

    python benchmarks/race.py train FOLDER NAME MINUTES     one candidate, going on from where it was left
    python benchmarks/race.py speed                         what each costs at inference
    python benchmarks/race.py table FOLDER                  what was found

The rate is constant and what is measured is the moving average of the weights, so that a race can always go on.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from localsr import metrics
from localsr.data.benchmark import Benchmark
from localsr.data.pairs import Pairs
from localsr.geometry import Size, tiles, whole
from localsr.inference.restorer import find
from localsr.models import checkpoint
from localsr.models.backbone import Backbone, Features, Taper, crop
from localsr.models.config import ModelConfig
from localsr.models.edsr import Head, Upsample
from localsr.models.layers import conv3x3

ROOT = Path(__file__).parents[2] / "shared/data"
SIDE, BATCH, RATE, DECAY = 64, 8, 1e-3, 0.998  # half the rate for those that start from trained weights
HELD = 25  # every so manieth picture is not trained on: the race is judged by those
MARKS = 2.0  # minutes of CPU between two measurements


class Folded(nn.Module):
    """A 3x3 convolution trained as 1x1, 3x3, 1x1 at twice the width beside a 1x1, folded before it is used."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = 2 * inputs
        self.first = nn.Parameter(torch.randn(wide, inputs) / inputs**0.5)
        self.middle = nn.Parameter(torch.randn(wide, wide, 3, 3) / (3 * wide**0.5))
        self.last = nn.Parameter(torch.randn(outputs, wide) / wide**0.5 * 0.5)
        self.skip = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5 * 0.2)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.given = nn.Parameter(torch.zeros(outputs, inputs, 3, 3), requires_grad=False)

    @torch.no_grad()
    def start(self, weight: Tensor, bias: Tensor) -> None:
        """Begin as a trained kernel: what is learned is added to it."""
        self.given.copy_(weight)
        self.bias.copy_(bias)
        self.last.zero_()
        self.skip.zero_()

    def forward(self, z: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            kernel = self.given + torch.einsum("om,mnhw,ni->oihw", self.last, self.middle, self.first)
            kernel = kernel + functional.pad(self.skip[:, :, None, None], (1, 1, 1, 1))
        return functional.conv2d(z, kernel.contiguous(memory_format=torch.channels_last), self.bias, padding=1)


class Residual(nn.Module):
    """Two convolutions, or three, added to their input."""

    def __init__(self, channels: int, *, act: str = "relu", gate: str = "", folded: bool = False, convs: int = 2) -> None:
        super().__init__()
        make = Folded if folded else conv3x3
        self.convs = nn.ModuleList(make(channels, channels) for _ in range(convs))
        self.act = {"relu": functional.relu, "silu": functional.silu}[act]
        self.gate = gate
        self.point = nn.Conv2d(channels, channels, 1) if gate == "pixel" else None

    def forward(self, z: Tensor) -> Tensor:
        y = z
        for k, conv in enumerate(self.convs):
            y = conv(y if k == 0 else self.act(y))
        if self.gate == "span":  # SPAN's attention without parameters
            return (y + z) * (torch.sigmoid(y) - 0.5)
        if self.gate == "one":  # the same around one: a block starts as its input
            return (y + z) * (torch.sigmoid(y) + 0.5)
        if self.point is not None:  # PAN's
            return z + y * torch.sigmoid(self.point(y))
        return z + y


class Chain(nn.Module):
    """Convolutions in a row."""

    def __init__(self, channels: int, convs: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in range(convs))

    def forward(self, z: Tensor) -> Tensor:
        for conv in self.convs:
            z = functional.silu(conv(z))
        return z


class Stage(nn.Module):
    """Blocks; what each stage made is carried on if the tail joins them."""

    def __init__(self, blocks: list[nn.Module], join: bool) -> None:
        super().__init__()
        self.blocks, self.join = nn.Sequential(*blocks), join

    def forward(self, features: Features) -> Features:
        z = self.blocks(features.z)
        return Features(z, (*features.carry, z) if self.join else features.carry)


class Tail(nn.Module):
    """A convolution and the long skip, or SPAN's end: the head's and all stages' features joined by a 1x1."""

    def __init__(self, channels: int, joined: int, conv: bool) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels) if conv else None
        self.join = nn.Conv2d(channels * (joined + 1), channels, 1) if joined else None

    def forward(self, features: Features) -> Features:
        z = features.z if self.conv is None else self.conv(features.z)
        first, lr, *rest = features.carry
        if self.join is None:
            return Features(first + z, (first, lr))
        return Features(first + self.join(torch.cat([first, *rest[:-1], z], 1)), (first, lr))


class Candidate(Backbone):
    """EDSR's frame around other blocks."""

    def __init__(self, block=Residual, channels: int = 64, stages: int = 3, blocks: int = 2, convs: int = 2,
                 join: bool = False, tail: bool = True) -> None:  # fmt: skip
        super().__init__(ModelConfig(channels=channels))
        self.head = Head(channels)
        self.stages = nn.ModuleList(Stage([block(channels) for _ in range(blocks)], join) for _ in range(stages))
        self.tail = Tail(channels, stages if join else 0, tail)
        self.upsample = Upsample(channels, 4)
        self.receptive_field = (1, *[convs * blocks] * stages, 1 + tail)
        self.halo = (4, *[3 if k == 0 else 2 for k in range(stages)])


CANDIDATES = {
    "edsr": Candidate,
    "edsr-muon": Candidate,
    "span": partial(Candidate, partial(Residual, act="silu", gate="span", convs=3), stages=4, blocks=1, convs=3, join=True),
    "one": partial(Candidate, partial(Residual, act="silu", gate="one", convs=3), stages=4, blocks=1, convs=3, join=True),
    "silu-join": partial(Candidate, partial(Residual, act="silu"), join=True),
    "pixel-join": partial(Candidate, partial(Residual, act="silu", gate="pixel"), join=True),
    "one-join": partial(Candidate, partial(Residual, act="silu", gate="one"), join=True),
    "folded": partial(Candidate, partial(Residual, folded=True)),
    "wide": partial(Candidate, Residual, channels=96, stages=3, blocks=1, tail=False),
    "chain": partial(Candidate, Chain, join=True),
    "edsr+": Candidate,  # these start from the weights of edsr-light-x4
    "muon+": Candidate,
    "join+": partial(Candidate, join=True),
    "folded+": partial(Candidate, partial(Residual, folded=True)),
}  # fmt: skip


@torch.no_grad()
def begin(net: Candidate) -> None:
    """Start from edsr-light-x4; what it lacks begins at nothing."""
    given = checkpoint.load(find("edsr-light-x4"))[0].backbone
    net.head.load_state_dict(given.head.state_dict())
    net.upsample.load_state_dict(given.upsample.state_dict())
    net.tail.conv.load_state_dict(given.tail.conv.state_dict())
    if net.tail.join is not None:  # of the head's, the stages' and the tail's features only the last counts
        width = net.channels
        net.tail.join.weight.zero_()
        net.tail.join.weight[:, -width:, 0, 0] = torch.eye(width)
        net.tail.join.bias.zero_()
    for stage, theirs in zip(net.stages, given.stages, strict=True):
        for block, other in zip(stage.blocks, theirs, strict=True):
            for conv, trained in zip(block.convs, (other.conv1, other.conv2), strict=True):
                if isinstance(conv, Folded):
                    conv.start(trained.weight, trained.bias)
                else:
                    conv.load_state_dict(trained.state_dict())


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal by Newton-Schulz iterations (Jordan et al. 2024), for kernels."""

    def __init__(self, params: Iterator[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.mul_(0.95).add_(p.grad)
                g = p.grad.add(m, alpha=0.95).reshape(len(p), -1)
                x = g / (g.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
                p.add_(x.view(p.shape), alpha=-group["lr"] * 0.2 * max(x.shape) ** 0.5)


class Data:
    """Random crops of all folders in proportion to their areas, their targets the teachers' mean."""

    def __init__(self, cache: Path, held: bool = False) -> None:
        self.parts = []
        for folder in sorted(cache.glob("pairs-x4-*")):
            index = json.loads((folder / "index.json").read_text())
            lr, hr, taught = (np.memmap(folder / f"{k}.bin", np.uint8, "r") for k in ("lr", "hr", "taught"))
            at = 0
            for k, (h, w) in enumerate(index["sizes"]):
                n = 3 * h * w
                if (k % HELD == 0) == held and min(h, w) >= SIDE:
                    maps = (part[at * s : (at + n) * s].reshape(3, h * r, w * r)
                            for part, s, r in ((lr, 1, 1), (hr, 16, 4), (taught, 16, 4)))  # fmt: skip
                    self.parts.append(tuple(maps))
                at += n
        areas = np.array([lr.size for lr, _, _ in self.parts], float)
        self.shares = areas / areas.sum()

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        g = np.random.default_rng(step)
        xs, ys = [], []
        for k in g.choice(len(self.parts), BATCH, p=self.shares):
            lr, _, taught = self.parts[k]
            y, x = (int(g.integers(side - SIDE + 1)) for side in lr.shape[1:])
            a, b = lr[:, y : y + SIDE, x : x + SIDE], taught[:, 4 * y : 4 * (y + SIDE), 4 * x : 4 * (x + SIDE)]
            turn, mirror = int(g.integers(4)), int(g.integers(2))
            for part, out in ((a, xs), (b, ys)):
                part = np.rot90(part, turn, (1, 2))
                out.append(torch.from_numpy((part[:, :, ::-1] if mirror else part).copy()))
        return tuple(torch.stack(v).float().div(255).contiguous(memory_format=torch.channels_last) for v in (xs, ys))


@torch.no_grad()
def restored(net: Candidate, lr: Tensor, halo: bool) -> Tensor:
    """Restore a whole picture `(1, 3, h, w)` at once, or region by region of 24 px with the halo kept."""
    size = Size(lr.shape[-1], lr.shape[-2])
    if not halo:
        return net(lr, Taper.around(whole(size), size, (0,) * (len(net.stages) + 1)))[0]
    parts = []
    for box in tiles(whole(size), 24):
        taper = Taper.around(box, size, net.halo)
        parts.append(net(crop(lr, taper.windows[0]).contiguous(memory_format=torch.channels_last), taper)[0])
    return metrics.stack(torch.stack(parts), size.width // 24)


def scores(net: Candidate, data: str, limit: int | None, halo: bool) -> float:
    """Return the mean PSNR of a set, or of the pictures held out."""
    found = []
    if data == "held":
        for lr, hr, _ in HELD_OUT():
            found.append((np.ascontiguousarray(lr[:, : lr.shape[1] // 24 * 24, : lr.shape[2] // 24 * 24]), hr))
    else:
        for pair in (lambda b: (b[k] for k in range(len(b))))(Benchmark(ROOT / "test" / data, 4, 24, limit)):
            found.append((pair.lr.transpose(2, 0, 1), pair.hr))
    values = []
    for lr, hr in found:
        h, w = lr.shape[1:]
        y = restored(net, torch.from_numpy(lr.copy())[None].float().div(255).contiguous(memory_format=torch.channels_last), halo)
        values.append(metrics.psnr_y(metrics.levels(y), torch.from_numpy(hr[:, : 4 * h, : 4 * w].copy()).float()))
    return float(np.mean(values))


def HELD_OUT() -> list[tuple[NDArray[np.uint8], ...]]:
    """Read the pictures held out: at most 40, in the order of their folders."""
    return Data(CACHE, held=True).parts[:40]


def train(folder: Path, name: str, minutes: float) -> None:
    """Train a candidate until it has had so many minutes of CPU."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = CANDIDATES[name]().to(memory_format=torch.channels_last).train()
    if name.endswith("+"):
        begin(net)
    kernels = [p for n, p in net.named_parameters() if p.ndim == 4 and n.split(".")[0] in ("stages", "tail")]
    others = [p for p in net.parameters() if not any(p is k for k in kernels)]
    muon = "muon" in name
    optimizers = [torch.optim.Adam(others if muon else net.parameters(), RATE, betas=(0.9, 0.99))]
    optimizers += [Muon(iter(kernels), RATE)] if muon else []
    ema = {k: v.clone() for k, v in net.state_dict().items()}
    state, log = folder / f"{name}.pt", folder / f"{name}.jsonl"
    step, spent = 0, 0.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        net.load_state_dict(saved["net"])
        ema, step, spent = saved["ema"], saved["step"], saved["spent"]
        for o, s in zip(optimizers, saved["optimizers"], strict=True):
            o.load_state_dict(s)
    data, size = Data(CACHE), Size(SIDE, SIDE)
    taper = Taper.around(whole(size), size, (0,) * (len(net.stages) + 1))
    mark, loss_sum, losses = spent + MARKS * 60, 0.0, 0
    began = time.process_time() - spent
    while time.process_time() - began < minutes * 60:
        for o in optimizers:
            for group in o.param_groups:
                group["lr"] = RATE * (0.5 if name.endswith("+") else 1) * min(1.0, (step + 1) / 100)
        x, target = data.batch(step)
        with torch.autocast("cpu", torch.bfloat16):
            y = net(x, taper)
        loss = functional.l1_loss(y.float()[..., 16:-16, 16:-16], target[..., 16:-16, 16:-16])
        net.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for o in optimizers:
            o.step()
        step, loss_sum, losses = step + 1, loss_sum + float(loss), losses + 1
        with torch.no_grad():
            decay = min(DECAY, (1 + step) / (10 + step))
            for k, v in net.state_dict().items():
                ema[k].lerp_(v, 1 - decay)
        if time.process_time() - began >= mark or time.process_time() - began >= minutes * 60:
            spent = time.process_time() - began
            average = CANDIDATES[name]().to(memory_format=torch.channels_last).eval()
            average.load_state_dict(ema)
            row = {"name": name, "minutes": round(spent / 60, 2), "steps": step, "loss": loss_sum / losses}
            row |= {"held": scores(average, "held", None, False)}
            if spent >= minutes * 60:
                row |= {"set14": scores(average, "set14", None, False), "set14-halo": scores(average, "set14", None, True),
                        "bsd100": scores(average, "bsd100", 30, False)}  # fmt: skip
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
            mark, loss_sum, losses = spent + MARKS * 60, 0.0, 0
            began = time.process_time() - spent  # measuring costs nothing
    torch.save({"net": net.state_dict(), "ema": ema, "step": step, "spent": spent,
                "optimizers": [o.state_dict() for o in optimizers]}, state)  # fmt: skip


def speed() -> None:
    """Measure a region of 24 px with its halo, in fp32 on one core, and a step of training."""
    torch.set_num_threads(1)
    for name, make in CANDIDATES.items():
        net = make().to(memory_format=torch.channels_last)
        size = Size(SIDE, SIDE)
        taper = Taper.around(whole(size), size, (0,) * (len(net.stages) + 1))
        x = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        times = []
        for _ in range(4):
            t = time.process_time()
            with torch.autocast("cpu", torch.bfloat16):
                y = net(x, taper)
            y.float().abs().mean().backward()
            times.append(time.process_time() - t)
        net.eval()
        big = Size(96, 96)
        near = Taper.around(tiles(whole(big), 24)[5], big, net.halo)
        part = torch.rand(1, 3, near.windows[0].height, near.windows[0].width).contiguous(memory_format=torch.channels_last)
        runs = []
        with torch.inference_mode():
            for _ in range(60):
                t = time.process_time()
                net(part, near)
                runs.append(time.process_time() - t)
        macs = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d))
        macs += sum(9 * m.skip.numel() for m in net.modules() if isinstance(m, Folded))
        print(f"{name:12} {2 * macs / 1e6:.3f} MFLOPs/px, step {min(times):.3f} s, region {1e3 * min(runs):.2f} ms", flush=True)


def table(folder: Path) -> None:
    """Print the last row of each candidate."""
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        print(path.stem, [(r["minutes"], r["steps"], round(r["held"], 3)) for r in rows])
        print("   ", {k: round(v, 3) for k, v in rows[-1].items() if isinstance(v, float)})


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
