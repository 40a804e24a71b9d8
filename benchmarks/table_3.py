"""Table 3 as the paper means it, without padding: train its rows for the same further steps, and measure them.

    python benchmarks/table_3.py recipes/table-3.toml --root DATASETS                    # seven rows, three seeds
    python benchmarks/table_3.py recipes/table-3-carn-m.toml --root DATASETS --seeds 0
    localsr report results/table-3/*/* -o report

The baseline is `crop`, which sees no pixel beyond the ROI; PIM, GCM and both see the rest through themselves alone;
then plain networks with a halo of 2 and 4 LR px, and `full`, trained with 8. A row that is trained, or measured, is not
done again; one that was broken off goes on. `--dry-run` prints the commands, `--set steps=100` changes all rows.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from localsr.training.config import Recipe

LOCALSR = [sys.executable, "-m", "localsr"]
ROWS = {  # halo in LR px at every step; PIM; GCM; what it is measured by
    "crop": (0, False, False, "crop,halo"),
    "pim": (0, True, False, "clsr"),
    "gcm": (0, False, True, "clsr"),
    "both": (0, True, True, "clsr"),
    "halo-2": (2, False, False, "halo"),
    "halo-4": (4, False, False, "halo"),
    "full": (8, False, False, "halo,full"),
}


def settings_of(row: str, recipe: Recipe, seed: int) -> list[str]:
    """Return the settings that make a row of a recipe."""
    halo, pim, gcm, _ = ROWS[row]
    name = f"{recipe.name}-{row}-{seed}"
    halos = [halo] * (recipe.model.stages + 1)
    modules = [f"model.pim={str(pim).lower()}", f"model.gcm={str(gcm).lower()}"]
    return [f"name={name}", f"seed={seed}", f"model.halo={halos}", *modules]


def commands_of(row: str, seed: int, asked: argparse.Namespace) -> list[list[str]]:
    """Return what trains a row, unless it is trained, and what measures it."""
    changed = settings_of(row, Recipe.read(asked.recipe, asked.set), seed)
    recipe = Recipe.read(asked.recipe, [*asked.set, *changed])
    folder = asked.runs / recipe.name
    network = folder / f"{recipe.name}.safetensors"
    train = [*LOCALSR, "train", str(asked.recipe), "--runs", str(asked.runs), "--devices", "1"]
    train += [part for setting in (*asked.set, *changed) for part in ("--set", setting)]
    train += ["--resume"] if (folder / "last.ckpt").exists() else []
    measure = [*LOCALSR, "evaluate", "--root", str(asked.root), "--model", str(network), "--strategy", ROWS[row][3]]
    measure += [part for name in asked.data for part in ("--data", name)]
    measure += ["-o", str(asked.results / recipe.name)]
    return [measure] if network.exists() else [train, measure]


def main() -> None:
    """Do what is missing, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="where the data sets are")
    parser.add_argument("--data", nargs="+", default=["bsd100", "set14"])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=Path("results/table-3"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--dry-run", action="store_true")
    asked = parser.parse_args()
    for seed in asked.seeds:  # all rows of a seed first: a table of one seed is a table
        for row in asked.rows:
            for command in commands_of(row, seed, asked):
                print(shlex.join(command), flush=True)
                if not asked.dry_run:
                    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
