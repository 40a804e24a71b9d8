"""Look at a picture in one process and restore a region of it in another.

python examples/saved_scene.py street.jpg sign.png
"""

import multiprocessing
import sys
import tempfile
from pathlib import Path

import localsr


def restore_from(saved: Path, source: str, target: str) -> None:
    """Restore a region with what the saved scene knows of the whole picture, which is not computed again."""
    photo = localsr.read(source)
    scene = localsr.load().encode(photo, saved)
    scene.restore(localsr.Box(40, 60, 168, 156)).save(target)


def main(source: str, target: str) -> None:
    """Save a scene and hand its path to another process."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "street.scene"
        localsr.load().encode(localsr.read(source)).save(saved)
        print(f"the scene takes {saved.stat().st_size / 1e3:.0f} kB")
        other = multiprocessing.get_context("spawn").Process(target=restore_from, args=(saved, source, target))
        other.start()
        other.join()
    sys.exit(other.exitcode)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
