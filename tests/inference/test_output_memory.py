"""What is written in pieces takes no more memory than its pieces."""

import subprocess
import sys

import numpy as np
import pytest

from localsr import images
from localsr.geometry import Box, Size, whole
from localsr.inference import output
from localsr.inference.restoration import bicubic

UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
import numpy as np
import localsr
from localsr.geometry import Box
from localsr.inference.output import write_bicubic

photo = localsr.read(np.zeros((900, 700, 3), np.uint8))
write_bicubic(sys.argv[1], photo, Box(0, 0, 8, 8), 8)  # libraries and threads have what they need
line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
held = int(line.split()[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (held + (300 << 20),) * 2)
write_bicubic(sys.argv[1], photo, Box(0, 0, 700, 900), 8)  # 484 MB as float32
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory is Linux's")
def test_bicubic_is_written_within_a_memory_limit(tmp_path):
    """Of routes whose result is larger than the memory that a worker may take."""
    path = tmp_path / "large.png"
    done = subprocess.run([sys.executable, "-c", UNDER_A_LIMIT, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert images.read(path).size == Size(5600, 7200)


def test_pieces_are_the_whole(tmp_path, monkeypatch):
    """Of routes whose result is larger than the memory that a worker may take."""
    monkeypatch.setattr(output, "BICUBIC_SIDE", 64)
    pixels = np.random.default_rng(1).integers(0, 256, (50, 70, 4), np.uint8)
    photo, box = images.read(pixels), Box(3, 5, 64, 49)
    output.write_bicubic(tmp_path / "a.png", photo, box, 4)
    written = images.read(tmp_path / "a.png")
    assert np.abs(written.window(whole(written.size)) - bicubic(photo, box, 4)).max() <= 0.5 / 255 + 1e-4
