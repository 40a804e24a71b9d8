"""What the package promises, and that it promises nothing else."""

import subprocess
import sys

import pytest

import localsr

PUBLIC = {
    "Box",
    "BoxError",
    "CheckpointError",
    "Client",
    "ConfigError",
    "DataError",
    "Frames",
    "ImageError",
    "LocalSRError",
    "OutputError",
    "Photo",
    "Restoration",
    "Restorer",
    "Saving",
    "Scene",
    "ServiceError",
    "Size",
    "Strategy",
    "TrackLostError",
    "__version__",
    "load",
    "read",
    "read_frames",
    "restore",
}


def test_the_public_names() -> None:
    assert set(localsr.__all__) == PUBLIC == set(dir(localsr))
    for name in PUBLIC:
        assert getattr(localsr, name) is not None


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = localsr.unknown


def test_errors_are_one_family() -> None:
    for name in PUBLIC:
        if name.endswith("Error"):
            assert issubclass(getattr(localsr, name), localsr.LocalSRError)


def test_importing_is_light() -> None:
    code = "import localsr, sys; localsr.Box(0, 0, 1, 1); print('torch' in sys.modules, 'pyvips' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
