"""What libvips does in a process besides pictures."""

from __future__ import annotations

import subprocess
import sys

LOGGING = """
import gc, io, logging
import numpy as np
import pyvips
from PIL import Image
import localsr.images

class Collecting(logging.Handler):
    def emit(self, record):
        gc.collect()

class Cycle:
    def __init__(self, image):
        self.me, self.image = self, image

def decoded():
    image = pyvips.Image.jpegload_buffer(cut)
    image.avg()
    return image

file = io.BytesIO()
Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, "JPEG")
cut = file.getvalue()[:-2000]
pyvips.cache_set_max(0)
logging.getLogger("pyvips").addHandler(Collecting())
gc.disable()
Cycle(decoded())  # goes when garbage is collected, and warns
decoded()  # goes at once, and warns
print("alive")
"""


def test_an_image_may_go_while_libvips_logs() -> None:
    """Family: the collector frees an image of a damaged file, which warns, in a log handler; GLib ends the process."""
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
