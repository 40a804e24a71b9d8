"""Fixtures and settings of all tests."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import localsr
from localsr.images.vips import secure_process

SHARED = Path(__file__).parents[2] / "shared"

if find_spec("torch") is not None:  # on a Python without a build of it, what needs none is tested
    import torch

    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # test files side by side have a core each
settings.register_profile("short", deadline=None)  # a busy machine is no fault of what is tested
settings.register_profile("long", deadline=None, max_examples=20_000)  # `make regions`
settings.load_profile("short")
secure_process()  # as in processes of our own


@pytest.fixture(scope="session", autouse=True)
def _fp32() -> Iterator[None]:
    """What is not about precision is tested in fp32, whatever this machine is fast at."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("torch") is not None:
            patch.setattr("localsr.inference.restorer.choose_precision", lambda *_: "fp32")
        yield


@pytest.fixture(scope="session")
def noise() -> localsr.Photo:
    """A picture of 60 x 50 px in which no two places look alike."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    return localsr.read(pixels)


@pytest.fixture(scope="session")
def cc0() -> Path:
    """Four small photos with their LR, in the repository: a data set wherever it is."""
    return Path(__file__).parent / "data/cc0"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the pictures and reference weights in ../shared are not here")
    return SHARED
