"""How well an OCR reads drawn text and number plates whose capitals are 6 to 8 px high in LR: bicubic, networks, truth.

Lines of invented words and plates of invented numbers are drawn as HR, reduced by four with `localsr.resize`, restored,
and read line by line: by Tesseract (Debian's `tesseract-ocr`, whose models come with it) or by RapidOCR (`pip install
rapidocr onnxruntime`, its models too). Printed is the character error rate: edits over characters, spaces aside, case
counted; the last column has the HR itself, so what the OCR cannot read at all. Tesseract stumbles over soft letters;
RapidOCR reads bicubic ones down to 6 px and tells networks apart only at 4 and 5.

Words are of random syllables, which no dictionary helps to guess; half of the faces (Computer Modern) and all words are
other than those of `recipes/drawn`. `python benchmarks/ocr.py [NETWORK ...] [--reader rapidocr] [--heights 4 5]`;
networks by name or path.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torchmetrics.functional.text import char_error_rate

import localsr
from localsr.inference.restoration import bicubic
from localsr.resize import reduce

FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "cmss10", "cmr10", "cmb10", "cmtt10")
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
SCALE, ROWS = 4, 12
WIDTH, ROW = 640, 64  # HR px of a page and of one row on it
FINE = 4  # finer px across each one while drawing
SEED = "ocr 1000000"  # recipes/drawn takes "SEED NUMBER": none of its pictures has this
PATTERNS = ("AA 000 AA", "AAA-0000", "A 000 AAA", "0000 AAA", "AA 00 AA 00", "00-AAA-0")

Pixels = NDArray[np.uint8]  # (height, width, 3)
Read = Callable[[Pixels], str]


@dataclass(frozen=True)
class Line:
    """What is written on one row of a page."""

    kind: str
    height: int  # of a capital, LR px
    text: str
    half: int  # HR px from the middle of the row that hold it


def main() -> None:
    """Draw, reduce, restore, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["edsr-light-x4", "clsr-photo-x4"])
    parser.add_argument("--pages", type=int, default=24, help=f"of {ROWS} lines each")
    parser.add_argument("--reader", choices=READERS, default="tesseract")
    parser.add_argument("--heights", type=int, nargs="+", default=[6, 7, 8], help="of capitals in LR px")
    parser.add_argument("--sheet", type=Path, help="write the first page's versions side by side")
    asked = parser.parse_args()
    restorers = {name: localsr.load(name) for name in asked.networks}
    said: dict[tuple[str, ...], list[str]] = defaultdict(list)
    truth: dict[tuple[str, ...], list[str]] = defaultdict(list)
    read = READERS[asked.reader]()
    for number in range(asked.pages):
        hr, lines = page(Random(f"{SEED} {number}"), asked.heights)
        versions = restored(hr, restorers)
        if number == 0 and asked.sheet:
            Image.fromarray(np.concatenate(list(versions.values()), 1)).save(asked.sheet)
        for version, pixels in versions.items():
            for row, line in enumerate(lines):
                middle = row * ROW + ROW // 2
                heard = read(pixels[middle - line.half : middle + line.half]).replace(" ", "")
                for group in ("all", line.kind, f"{line.height} px"):
                    said[group, version].append(heard)
                    truth[group, version].append(line.text.replace(" ", ""))
    columns = list(versions)
    print("".join(f"{name:>18}" for name in ("error rate, %", "characters", *columns)))
    for group in ("all", "text", "plate", *(f"{height} px" for height in asked.heights)):
        rates = [100 * float(char_error_rate(said[group, name], truth[group, name])) for name in columns]
        count = sum(map(len, truth[group, "bicubic"]))
        print(f"{group:>18}{count:18d}" + "".join(f"{rate:18.2f}" for rate in rates))


def page(rng: Random, heights: list[int]) -> tuple[Pixels, list[Line]]:
    """Draw one page in HR; return it with what is written on its rows."""
    rows, lines = [], []
    for _ in range(ROWS):
        kind, height = rng.choice(["text", "text", "plate"]), rng.choice(heights)
        font = sized(FONTS / f"{rng.choice(FACES)}.ttf", height * SCALE * FINE)
        room = 0.9 * WIDTH * FINE
        text = plate(rng) if kind == "plate" else word(rng)
        while kind == "text" and font.getlength(f"{text} {(more := word(rng))}") < room:
            text += f" {more}"
        rows.append(drawn(rng, kind, text, font))
        _, top, _, bottom = font.getbbox(text)
        lines.append(Line(kind, height, text, min(round((bottom - top) / 2 / FINE) + 12, ROW // 2)))
    return np.concatenate(rows), lines


def drawn(rng: Random, kind: str, text: str, font: ImageFont.FreeTypeFont) -> Pixels:
    """Draw one row: text on a ground, dark on light or light on dark, a little aslant."""
    contrast, light = rng.choice([1.0, 0.8, 0.5]), rng.random() < 0.7
    ground = tuple(rng.randint(190, 255) if light else rng.randint(0, 65) for _ in range(3))
    ink = tuple(round(c * (1 - contrast)) if light else round(c + (255 - c) * contrast) for c in ground)
    row = Image.new("RGB", (WIDTH * FINE, ROW * FINE), ground)
    pen = ImageDraw.Draw(row)
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    x = rng.uniform(0.02, 0.05) * WIDTH * FINE - left
    y = (ROW * FINE - bottom - top) / 2 + rng.uniform(-2, 2) * FINE
    if kind == "plate":
        gap = 6 * FINE
        box = (x + left - gap, y + top - gap, x + right + gap, y + bottom + gap)
        pen.rounded_rectangle(box, 5 * FINE, outline=ink, width=2 * FINE)
    pen.text((x, y), text, ink, font)
    turned = row.rotate(rng.uniform(-0.6, 0.6), Image.Resampling.BICUBIC, fillcolor=ground)
    return np.asarray(turned.reduce(FINE))


def sized(path: Path, height: int) -> ImageFont.FreeTypeFont:
    """Return the face at the size at which a capital is `height` px high."""
    large = ImageFont.truetype(path, 1000)
    _, top, _, bottom = large.getbbox("H")
    return ImageFont.truetype(path, 1000 * height / (bottom - top))


def word(rng: Random) -> str:
    """Return a word of random syllables, or a number."""
    if rng.random() < 0.15:
        return str(rng.randint(10, 99999))
    syllables = [
        rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + rng.choice(["", "", *"nrstlm"]) for _ in range(3)
    ]
    text = "".join(syllables[: rng.randint(1, 3)])
    return text.capitalize() if rng.random() < 0.3 else text


def plate(rng: Random) -> str:
    """Return the number of a plate, without letters that look like digits."""
    signs = {"A": "ABCDEFGHJKLMNPRSTUVWXYZ", "0": "0123456789"}
    return "".join(rng.choice(signs.get(sign, sign)) for sign in rng.choice(PATTERNS))


def restored(hr: Pixels, restorers: dict[str, localsr.Restorer]) -> dict[str, Pixels]:
    """Reduce the page by four and enlarge it again by bicubic and by each network; the HR comes last."""
    lr = np.ascontiguousarray(reduce(hr.transpose(2, 0, 1), SCALE).transpose(1, 2, 0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.png")
        Image.fromarray(lr).save(path)
        photo = localsr.read(path)
        whole = localsr.Box.from_xywh(0, 0, lr.shape[1], lr.shape[0])
        found = {"bicubic": bicubic(photo, whole, SCALE)}
        for name, restorer in restorers.items():
            found[Path(name).stem] = restorer.encode(photo).restore(whole).pixels
    eight = {name: np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0) for name, pixels in found.items()}
    return {**eight, "truth": hr}


def tesseract() -> Read:
    """Return Tesseract as a reader of one line."""

    def read(pixels: Pixels) -> str:
        stored = io.BytesIO()
        Image.fromarray(pixels).save(stored, "PNG")
        command = ["tesseract", "-", "-", "--psm", "7"]
        return subprocess.run(command, input=stored.getvalue(), capture_output=True, check=True).stdout.decode().strip()

    return read


def rapidocr() -> Read:
    """Return RapidOCR's recogniser as a reader of one line."""
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "warning"})

    def read(pixels: Pixels) -> str:
        heard = engine(np.ascontiguousarray(pixels[..., ::-1]), use_det=False, use_cls=False, use_rec=True)
        return str(heard.txts[0]) if heard.txts else ""

    return read


READERS: dict[str, Callable[[], Read]] = {"tesseract": tesseract, "rapidocr": rapidocr}

if __name__ == "__main__":
    main()
