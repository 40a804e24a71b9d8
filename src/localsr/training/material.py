"""What a recipe trains on: pairs of each of its folders, distilled from teachers or not."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from localsr.data.distilled import DistilledPairs
from localsr.data.pairs import Pairs
from localsr.training.callbacks import Watch
from localsr.training.config import Recipe
from localsr.training.teachers import read_teacher, teach


def read_material(recipe: Recipe, cache: Path, watch: Watch) -> list[Pairs | DistilledPairs]:
    """Map the pairs of each of a recipe's folders, blended with what its teachers make of them where they have a share.

    Args:
        recipe: Names folders, teachers and shares.
        cache: Where the mapped files are, or are made.
        watch: Hears of "pictures" and of "teaching" while files are made.

    Returns:
        One for each of the recipe's folders, in their order.

    Raises:
        DataError: A folder is none, or too many of its pictures cannot be read.
        CheckpointError: A teacher cannot be read, or enlarges by another scale.
    """
    scale = recipe.model.scale if recipe.target == "hr" else 1  # pictures that are LR are their own HR
    teachers = [read_teacher(Path(path), recipe.model.scale) for path in recipe.teachers]
    sha = hashlib.sha256()
    for path in recipe.teachers:
        sha.update(hashlib.sha256(Path(path).read_bytes()).digest())
    parts: list[Pairs | DistilledPairs] = []
    for k, folder in enumerate(recipe.folders):
        pairs = Pairs(
            [Path(folder)],
            scale,
            cache,
            lambda done, of: watch("pictures", done, of, {}),
            lr_folders=[Path(lr) for lr in recipe.lr_folders[k : k + 1]],
            degradation=recipe.degradation,
            seed=recipe.seed,
            max_broken=recipe.max_broken,
        )
        share = recipe.teacher_shares[k] if teachers else 0.0
        if not share:
            parts.append(pairs)
            continue
        name, progress = sha.hexdigest()[:16], lambda done, of: watch("teaching", done, of, {})
        parts.append(DistilledPairs(pairs, name, partial(teach, teachers), share, progress))
    return parts
