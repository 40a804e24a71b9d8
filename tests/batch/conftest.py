"""A tiny network, what a batch is set up by, and twelve pictures."""

from pathlib import Path

import pytest
from batches import InlineEngine, contents, tasks_in
from networks import awake, tiny

import localsr
from localsr.batch.runner import run_batch
from localsr.batch.tasks import Setup, Task
from localsr.models import checkpoint


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The path of a tiny network and its sha256."""
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    checkpoint.save(path, awake(tiny()), checkpoint.Card("tiny", tiny()))
    return str(path), localsr.load(path, device="cpu").card.sha256


@pytest.fixture
def setup(network: tuple[str, str], tmp_path: Path) -> Setup:
    model, sha256 = network
    return Setup(str(tmp_path / "out"), model=model, sha256=sha256, name="tiny")


@pytest.fixture
def many(tmp_path: Path) -> list[Task]:
    """Twelve pictures of one to three regions each."""
    return tasks_in(tmp_path / "in")


@pytest.fixture(scope="session")
def quiet_results(network: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of `many` in a run in which nothing dies."""
    folder, (model, sha256) = tmp_path_factory.mktemp("quiet"), network
    quiet = Setup(str(folder / "out"), model=model, sha256=sha256, name="tiny")
    run_batch(tasks_in(folder / "in"), quiet, lambda: InlineEngine(quiet))
    return contents(quiet.folder)
