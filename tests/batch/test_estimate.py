"""What a batch would cost."""

from pathlib import Path

import pytest

import localsr
from localsr.batch.estimate import estimate_batch
from localsr.batch.tasks import Task
from localsr.inference.strategies import Strategy


def test_an_estimate_is_a_projection(many, setup, tmp_path) -> None:
    restorer = localsr.load(setup.model, device="cpu")
    all_of_them = estimate_batch(many, restorer, Strategy.CLSR)
    assert (all_of_them.pictures, all_of_them.opened, all_of_them.regions) == (12, 12, 24)
    assert all_of_them.pixels == sum(sum(f.box.area for f in task.request.find(_open(task))) for task in many) * 16
    part = estimate_batch([*many, Task("gone", many[0].request)] * 10, restorer, Strategy.CLSR, sample_size=13)
    assert (part.pictures, part.opened) == (130, 13)
    assert part.gflops == pytest.approx(10 * all_of_them.gflops, rel=0.5)
    assert not Path(setup.folder).exists()


def _open(task):
    return localsr.read(task.picture)
