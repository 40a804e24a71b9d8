"""Kill a training run with SIGKILL at random moments and resume it each time: it must end as the unbroken one.

Prints a row for each kill and says whether weights, averaged weights and optimiser are the same to the last bit.
`python benchmarks/kill.py [KILLS]`, 20 by default; two minutes on two cores.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

RECIPE = """name = "run"
folders = ["hr"]
context = 32
roi = [12, 20]
steps = {steps}
batch = 4
lr = 2e-3
save_every = 3
[model]
channels = 16
stages = 2
blocks = 1
halo = [3, 2, 2]
gcm = true
gcm_patches = 16
pim = true
pim_channels = 4
"""


def main() -> None:
    """Run it all in a temporary folder."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    draw = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="localsr-kill-") as name:
        folder = Path(name)
        (folder / "hr").mkdir()
        for k in range(3):
            pixels = np.random.default_rng(k).integers(0, 256, (160, 160, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"hr/{k}.png")
        (folder / "recipe.toml").write_text(RECIPE.format(steps=100 * kills))
        began = time.monotonic()
        start(folder, "unbroken").wait()
        spent = time.monotonic() - began
        done, row = 0, 0
        print(f"unbroken: {100 * kills} steps in {spent:.1f} s\n kill  after s  saved step  stray files")
        while done < kills:
            process = start(folder, "broken")
            wait = draw.uniform(2.0, 7.0)  # in the imports or somewhere in the steps
            time.sleep(wait)
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            done, row = done + 1, row + 1
            saved = folder / "broken/run/last.ckpt"
            step = torch.load(saved, weights_only=True)["global_step"] if saved.exists() else 0
            stray = [p.name for p in (folder / "broken/run").glob(".*")]
            print(f"{row:5d}  {wait:7.2f}  {step:10d}  {len(stray)}")
        process = start(folder, "broken")
        if process.wait() != 0:
            sys.exit("the resumed run failed")
        one, two = (torch.load(folder / f"{run}/run/last.ckpt", weights_only=True) for run in ("unbroken", "broken"))
        ends = (load_file(folder / f"{run}/run/run.safetensors") for run in ("unbroken", "broken"))
        same = {"exported": alike(*ends)}
        same |= {part: alike(one[part], two[part]) for part in ("state_dict", "optimizer_states", "averaging_state")}
        stray = [p.name for p in (folder / "broken/run").glob(".*")]
        print(f"{done} kills; bit-identical: {same}; stray files at the end: {len(stray)}")
        if not all(same.values()) or stray or done < kills:
            sys.exit(1)


def start(folder: Path, runs: str) -> subprocess.Popen[bytes]:
    """Start the run, or go on with it once a step is saved."""
    args = [sys.executable, "-m", "localsr", "train", "recipe.toml", "--runs", runs, "--devices", "1"]
    if (folder / runs / "run/last.ckpt").exists():
        args.append("--resume")
    return subprocess.Popen(args, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def alike(one: Any, two: Any) -> bool:  # noqa: ANN401  # nested tables of tensors
    """Compare to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(alike(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(alike(a, b) for a, b in zip(one, two, strict=True))
    return bool(one == two)


if __name__ == "__main__":
    main()
