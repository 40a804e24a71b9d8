"""Enlarge each picture of a folder, with the faces in it restored; needs `pip install 'localsr[detect]'`.

python examples/faces_of_folder.py party large
"""

import sys
from pathlib import Path

import localsr
from localsr.inference.paste import paste
from localsr.regions import Margin, RegionRequest


def main(source: str, target: str) -> None:
    """Write a picture into `target` for each JPEG of `source` that has a face."""
    restorer = localsr.load()
    faces = RegionRequest(detect=("face",), margin=Margin.parse("20%"), merge=True)
    Path(target).mkdir(exist_ok=True)
    for path in sorted(Path(source).glob("*.jpg")):
        photo = localsr.read(path)
        boxes = [found.box for found in faces.find(photo)]
        print(f"{path.name}: {len(boxes)} found")
        if boxes:
            paste(Path(target) / path.name, restorer.encode(photo), boxes)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
