"""Regions from text, annotation files and masks: the same boxes whatever they were written as, and what is refused."""

import json
import math
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tables import write_parquet

import localsr
from localsr.errors import BoxError, ConfigError, LocalSRError
from localsr.geometry import Box, Size, whole
from localsr.geometry.box import SLACK
from localsr.regions import Annotations, Found, Margin, Region, RegionRequest, read, read_lines, text
from localsr.regions.formats.run_lengths import RunLengths, painted_sides
from localsr.regions.request import merge_overlapping

Sides = tuple[float, float, float, float]  # left, top, right, bottom
SIZE = Size(640, 480)
NAME = "some where/a photo.jpg"
CASES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


# Writers: what people's tools write, each from sides in pixels.


def shares(sides: Sides, size: Size) -> Sides:
    left, top, right, bottom = sides
    return left / size.width, top / size.height, right / size.width, bottom / size.height


def xywh(sides: Sides) -> Sides:
    return sides[0], sides[1], sides[2] - sides[0], sides[3] - sides[1]


def typed(form: Callable[[Sides, Size], str]) -> Callable[[Path, Sequence[Sides], Size], tuple[Region, ...]]:
    return lambda folder, boxes, size: tuple(text(form(sides, size)) for sides in boxes)


def filed(
    name: str, form: Callable[[Sequence[Sides], Size], object]
) -> Callable[[Path, Sequence[Sides], Size], tuple[Region, ...]]:
    def write_and_read(folder: Path, boxes: Sequence[Sides], size: Size) -> tuple[Region, ...]:
        said = form(boxes, size)
        (folder / name).write_text(said if isinstance(said, str) else json.dumps(said), encoding="utf-8")
        return read(folder / name).of(f"/data/{NAME}")

    return write_and_read


def joined(numbers: Sequence[float], form: str = "{:.10g}", between: str = ",") -> str:
    return between.join(form.format(number) for number in numbers)


def corners(numbers: Sequence[float], form: str = "{:.10g}") -> str:
    return f"{joined(numbers[:2], form)}:{joined(numbers[2:], form)}"


def coco(boxes: Sequence[Sides], size: Size) -> object:
    return {
        "images": [
            {"id": 9, "file_name": "other.jpg", "width": 5, "height": 5},
            {"id": 7, "file_name": NAME, "width": size.width, "height": size.height},
        ],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 1, "bbox": xywh(sides), "iscrowd": 0, "area": 1}
            for n, sides in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "sign"}],
    }


def polygons(boxes: Sequence[Sides], size: Size) -> object:
    annotations = [
        {"image_id": 7, "segmentation": [[(a + c) / 2, b, c, (b + d) / 2], [a, b, a, d]]} for a, b, c, d in boxes
    ]
    return {"images": [{"id": 7, "file_name": NAME}], "annotations": annotations}


def labelme(boxes: Sequence[Sides], size: Size) -> object:
    shapes = [{"label": "sign", "points": [(c, b), (a, d)], "shape_type": "rectangle"} for a, b, c, d in boxes]
    about = {"imagePath": "..\\a photo.jpg", "imageWidth": size.width, "imageHeight": size.height, "imageData": None}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes} | about


def voc(boxes: Sequence[Sides], size: Size) -> str:
    objects = "".join(
        f"<object><name>sign</name><part><name>no</name><bndbox><xmin>1</xmin></bndbox></part>\n<bndbox><xmin>{a + 1:g}"
        f"</xmin><ymin>{b + 1:.10g}</ymin>\n<xmax>{c:.10g}</xmax><ymax>{d:.10g}</ymax></bndbox></object>\n"
        for a, b, c, d in boxes
    )
    about = f"<width>{size.width}</width><height>{size.height}</height><depth>3</depth>"
    return f"<annotation><filename>a photo.jpg</filename>\n<size>{about}</size>{objects}</annotation>"


def yolo(boxes: Sequence[Sides], size: Size) -> str:
    rows = []
    for sides in boxes:
        a, b, c, d = shares(sides, size)
        rows.append(f"3 {joined(((a + c) / 2, (b + d) / 2, c - a, d - b), '{:.6f}', ' ')}\n")
    return "".join(rows)


def jsonl(boxes: Sequence[Sides], size: Size) -> str:
    rows: list[object] = [
        {"picture": NAME, **({"box": sides} if n % 3 == 0 else {"bbox": xywh(sides)} if n % 3 == 1 else {})}
        | ({"box": corners(sides)} if n % 3 == 2 else {})
        for n, sides in enumerate(boxes)
    ]
    other = json.dumps({"picture": "other.jpg", "box": [0, 0, 1, 1]})
    return other + "\n\n" + "\n".join(json.dumps(row) for row in rows)


def answer(boxes: Sequence[Sides], size: Size) -> object:
    regions = [{"box": sides, "label": "sign", "score": 0.5, "output": "a.png"} for sides in boxes]
    return {"input": NAME, "size": [size.width, size.height], "scale": 4, "regions": regions}


def table(columns: str, form: Callable[[Sides], Sequence[float]], delimiter: str = ",") -> Callable[..., str]:
    header = f"picture,{columns}".replace(",", delimiter)
    return lambda boxes, size: "\n".join(
        [header, *(NAME + delimiter + joined(form(sides), between=delimiter) for sides in boxes)]
    )


def parquet(folder: Path, boxes: Sequence[Sides], size: Size) -> tuple[Region, ...]:
    """As `localsr batch` writes it: corners, and the picture's size."""
    columns = dict(zip(("left", "top", "right", "bottom"), map(list, zip(*boxes, strict=True)), strict=True))
    about = {"input": NAME, "width": size.width, "height": size.height}
    columns |= {name: [cell] * len(boxes) for name, cell in about.items()}
    write_parquet(folder / "results.parquet", columns)
    return read(folder / "results.parquet").of(f"/data/{NAME}")


FORMATS: dict[str, Callable[[Path, Sequence[Sides], Size], tuple[Region, ...]]] = {
    "x,y,w,h": typed(lambda sides, size: joined(xywh(sides))),
    "corners": typed(lambda sides, size: corners(sides)),
    "percent": typed(lambda sides, size: joined([100 * n for n in xywh(shares(sides, size))], "{:.8f}%")),
    "percent corners": typed(lambda sides, size: corners([100 * n for n in shares(sides, size)], " {:.8f} %")),
    "pct": typed(lambda sides, size: "pct:" + joined([100 * n for n in xywh(shares(sides, size))], "{:.8f}")),
    "relative": typed(lambda sides, size: "rel:" + joined(xywh(shares(sides, size)), "{:.10f}")),
    "relative corners": typed(lambda sides, size: "rel:" + corners(shares(sides, size), "{:.10f}")),
    "COCO": filed("coco.json", coco),
    "COCO polygons": filed("polygons.json", polygons),
    "COCO results": filed(
        "results.json",
        lambda boxes, size: [{"image_id": "a photo", "bbox": xywh(sides), "score": 0.5} for sides in boxes],
    ),
    "LabelMe": filed("labelme.json", labelme),
    "Pascal VOC": filed("voc.xml", voc),
    "YOLO": filed("a photo.txt", yolo),
    "JSON lines": filed("lines.jsonl", jsonl),
    "text lines": filed("lines.txt", lambda boxes, size: "\n".join(joined(xywh(sides)) for sides in boxes)),
    "restore --json": filed("answer.json", answer),
    "restore --json, laid out": filed("laid.json", lambda boxes, size: json.dumps(answer(boxes, size), indent=2)),
    "restore --json >>": filed(
        "answers.json", lambda boxes, size: "\n".join(json.dumps(answer([b], size)) for b in boxes)
    ),
    "a table of corners": filed("c.csv", table("xmin,ymin,xmax,ymax", lambda sides: sides)),
    "a table of sizes": filed("s.csv", table("x,y,width,height", xywh, ";")),
    "results of batch": parquet,
    "keys of JSON lines": filed(
        "keys.jsonl",
        lambda boxes, size: "\n".join(
            json.dumps({"input": NAME} | dict(zip(("left", "top", "right", "bottom"), sides, strict=True)))
            for sides in boxes
        ),
    ),
    "standard input": lambda folder, boxes, size: read_lines(jsonl(boxes, size).encode()).of(NAME),
}


@st.composite
def pictures(draw: st.DrawFn, longest: int = 20_000, steps: int = 8) -> tuple[Size, list[Sides]]:
    """A picture and some regions inside it, in steps of a part of a pixel."""
    size = Size(draw(st.integers(1, longest)), draw(st.integers(1, longest)))

    def side(length: int) -> tuple[float, float]:
        step = draw(st.sampled_from((1, steps)))
        low = draw(st.integers(0, length * step - 1))
        return low / step, draw(st.integers(low + 1, length * step)) / step

    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        (left, right), (top, bottom) = side(size.width), side(size.height)
        boxes.append((left, top, right, bottom))
    return size, boxes


def outward(sides: Sides) -> Box:
    left, top, right, bottom = sides
    return Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))


@CASES
@given(picture=pictures())
def test_every_format_gives_the_same_boxes(tmp_path: Path, picture: tuple[Size, list[Sides]]) -> None:
    """Through a file and back, in each format, of pictures up to 20,000 px a side."""
    size, boxes = picture
    expected = [outward(sides) for sides in boxes]
    for name, through in FORMATS.items():
        found = [region.on(size).box for region in through(tmp_path, boxes, size)]
        assert found == expected, name


@CASES
@given(picture=pictures(longest=60, steps=1))
def test_a_mask_gives_the_same_box(tmp_path: Path, picture: tuple[Size, list[Sides]]) -> None:
    size, boxes = picture
    box = outward(boxes[0])
    pixels = np.zeros((size.height, size.width), np.uint8)
    pixels[box.rows, box.columns] = 1 + (box.area + box.left) % 255
    Image.fromarray(pixels).save(tmp_path / "mask.png", compress_level=1)
    assert [region.on(size).box for region in read(tmp_path / "mask.png").of(NAME)] == [box]


def test_the_formats_carry_labels_and_scores(tmp_path: Path) -> None:
    boxes = [(1.0, 2.0, 3.0, 4.0)]
    for name, label in {"COCO": "sign", "LabelMe": "sign", "Pascal VOC": "sign", "YOLO": "3"}.items():
        (region,) = FORMATS[name](tmp_path, boxes, SIZE)
        assert (name, region.label, region.score) == (name, label, None)
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    (tmp_path / "b.txt").write_text("3 .5 .5 .1 .1 0.75\n")
    (region,) = read(tmp_path / "b.txt").of("b.png")
    assert (region.label, region.score) == ("d", 0.75)
    (region,) = FORMATS["COCO results"](tmp_path, boxes, SIZE)
    assert region.score == 0.5
    (region,) = read_lines(b'{"box": "1,2,3,4", "label": "x", "score": 0.25}').of("any.jpg")
    assert (region.label, region.score, region.on(SIZE).box) == ("x", 0.25, Box(1, 2, 4, 6))


def test_shapes_of_labelme(tmp_path: Path) -> None:
    """The box around a polygon, a circle of centre and rim, a mask whose corners are pixels."""
    shapes = [
        {"points": [[5, 5], [9.5, 7], [2, 8]], "shape_type": "polygon"},
        {"points": [[10, 10], [13, 14]], "shape_type": "circle"},
        {"points": [[3, 4], [8, 6]], "shape_type": "mask", "mask": "iVBOR"},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": None}))
    found = [region.on(SIZE).box for region in read(tmp_path / "a.json").of("a.jpg")]
    assert found == [Box(2, 5, 10, 8), Box(5, 5, 15, 15), Box(3, 4, 9, 7)]


@pytest.mark.parametrize(
    ("line", "box", "score"),
    [
        ("0 .5 .5 .1 .2 .4 .4 2 .6 .6 1", Box(288, 192, 352, 288), None),  # two key points
        ("0 .5 .5 .1 .2 " + ".4 .4 0 " * 17, Box(288, 192, 352, 288), None),
        ("0 .5 .5 .1 .2 0.9 12", Box(288, 192, 352, 288), 0.9),  # a track
        ("0 .45 .4 .55 .4 .55 .6 .45 .6", Box(288, 192, 352, 288), None),  # a turned box
        ("0 .45 .4 .55 .4 .55 .6 .45 .6 0.75", Box(288, 192, 352, 288), 0.75),
        ("# exported\n0.0 5e-1 .5 .1 .2", Box(288, 192, 352, 288), None),
    ],
)
def test_lines_that_yolo_writes(tmp_path: Path, line: str, box: Box, score: float | None) -> None:
    """Key points, tracks, turned boxes with and without confidence, comments, ends of lines of any system."""
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "a.txt").write_bytes(f"{line}\n".replace("\n", end).encode() * 2)
        found = [region.on(SIZE) for region in read(tmp_path / "a.txt").of("a.jpg")]
        assert [(one.box, one.score) for one in found] == [(box, score)] * 2
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .2 .9 1")
    with pytest.raises(BoxError, match="may be a triangle, or a box with confidence and track 1"):
        through(tmp_path / "a.txt", "a.jpg")


def test_json_that_is_nearly_json(tmp_path: Path) -> None:
    """NaN, which Python writes; UTF-16, which Windows does; empty boxes beside polygons; names by URL alone."""
    for name, said in {
        "nan": one_coco(area=math.nan, score=math.nan),
        "polygon": one_coco(bbox=[], segmentation=[[1, 2, 4, 2, 4, 6]]),
        "url": one_coco().replace('"file_name": "', '"coco_url": "http://images.test/train2017/'),
    }.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            (tmp_path / f"{name}.json").write_bytes(said.encode(encoding))
            assert [found.box for found in through(tmp_path / f"{name}.json", "other/a.jpg")] == [Box(1, 2, 4, 6)]
    (tmp_path / "a.xml").write_text(voc([(1, 2, 4, 6)], SIZE).replace(">640<", ">640.0<").replace(">2<", ">2e0<"))
    assert [found.box for found in through(tmp_path / "a.xml", "a.jpg")] == [Box(1, 2, 4, 6)]


@pytest.mark.parametrize(
    ("name", "one", "rest"),
    [
        ("a.json", '{"image_id": 1, "bbox": [1, 2, 3, 4]}', '{"images": [], "annotations": [%s]}'),
        ("a.json", '{"\\u0069mage_id":{"a":{"a":{}}}}', '{"images": [], "annotations": [%s]}'),
        ("a.json", '{"image_id": 1, "bbox": [1, 2, 3, 4]}', "[%s]"),
        ("a.json", '{"box": [1, 2, 3, 4]}', '{"input": "a.jpg", "regions": [%s]}'),
        ("a.json", '{"points": [[1, 2], [3, 4]]}', '{"shapes": [%s]}'),
        ("a.xml", "<object></object>", "<annotation>%s</annotation>"),
    ],
)
def test_too_many_regions_are_refused_before_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, one: str, rest: str
) -> None:
    """Counted in the bytes, however a key is spelt; tables and lines are counted in tests of manifests."""
    monkeypatch.setattr("localsr.regions.formats.documents.check_objects.__defaults__", (3,))
    for module in ("labelme", "voc"):
        monkeypatch.setattr(f"localsr.regions.formats.{module}.MAX_REGIONS", 3)
    for module in ("coco", "json_lines", "labelme"):
        monkeypatch.setattr(f"localsr.regions.formats.{module}.parse_json", lambda *_: pytest.fail("parsed"))
    (tmp_path / name).write_text(rest % ",".join([one] * 4))
    with pytest.raises(BoxError, match=rf"{name} has [4-9] \w+; of a file, 3 regions are read: split it"):
        read(tmp_path / name)


@pytest.mark.parametrize("cell", ["{}", "{{'bbox': {}}}"])
def test_boxes_in_one_cell_count(tmp_path: Path, cell: str) -> None:
    """Of tables from strangers: 4 kB of Parquet were 1.5 million boxes, 15 s and 1.6 GB; a line of JSON as many."""
    boxes = cell.format("[[1, 1, 2, 2] for x in range(1_000_001)]")
    with duckdb.connect() as database:
        query = f"SELECT 'a.jpg' AS picture, {boxes} AS objects"
        database.execute(f"COPY ({query}) TO '{tmp_path / 'a.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
    with pytest.raises(BoxError, match="has 1,000,001 boxes; of a file, 1,000,000 regions are read"):
        read(tmp_path / "a.parquet")


def test_boxes_in_one_line_count() -> None:
    """Of lines from strangers."""
    line = '{"picture": "a.jpg", "boxes": [%s]}'
    with pytest.raises(BoxError, match=r"1,000,\d+ lists; of a file, 1,000,000 regions"):
        read_lines((line % ",".join(["[1,1,2,2]"] * 1_000_001)).encode())
    (found,) = read_lines((line % ",".join(["[1,1,2,2]"] * 100_001)).encode()).of("a.jpg")
    assert "100,001 regions; of a file, 100,000" in found.problem


def test_a_mask_of_noise_is_refused_at_its_first_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[::2, ::2] = 255
    Image.fromarray(pixels).save(tmp_path / "m.png")
    monkeypatch.setattr("localsr.regions.formats.mask.MAX_REGIONS", 100)
    with pytest.raises(BoxError, match=r"m.png: has 9\d\d parts and more; a mask of up to 100 is read"):
        read(tmp_path / "m.png")


def test_windows_line_ends_and_marks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf0 .5 .5 .1 .1\r\n\r\n0 .5 .5 .2 .2\r\n")
    (tmp_path / "classes.txt").write_bytes(b"sign\r\n")
    assert [region.label for region in read(tmp_path / "a.txt").of("a.png")] == ["sign"] * 2
    (tmp_path / "b.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(coco([(1, 2, 3, 4)], SIZE)).encode())
    assert len(read(tmp_path / "b.json").of(NAME)) == 1
    assert read_lines('{"box": "1,2,3,4", "label": "a\u2028b"}\r\n'.encode()).of("x")[0].label == "a\u2028b"


def test_parts_go_on_from_strip_to_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same parts as of the whole mask at once, whichever way they cross the borders of strips."""
    strips = localsr.geometry.strips
    monkeypatch.setattr("localsr.regions.formats.mask.strips", lambda size: strips(size, 5 * size.width))
    for seed, share in enumerate((0.2, 0.3, 0.42, 0.5)):
        mask = (np.random.default_rng(seed).random((83, 61)) < share).astype(np.uint8) * 255
        Image.fromarray(mask).save(tmp_path / "mask.png")
        whole = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, :4].tolist()
        found = [region.on(Size(61, 83)).box for region in read(tmp_path / "mask.png").of("a.png")]
        assert sorted(found) == sorted(Box.from_xywh(*sides) for sides in whole)


def test_a_mask_of_several_parts(tmp_path: Path) -> None:
    """Corners touch; what is transparent is not painted; a JPEG's noise is not either."""
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[2:5, 3:6] = pixels[5:7, 6:9] = (200, 0, 0, 255)
    pixels[10:12, 20:30] = (1, 1, 1, 1)
    pixels[15:18, 1:4] = (255, 255, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "m.png")
    found = [region.on(Size(30, 20)).box for region in read(tmp_path / "m.png").of("any.jpg")]
    assert found == [Box(3, 2, 9, 7), Box(20, 10, 30, 12)]
    Image.fromarray(pixels[..., 3]).save(tmp_path / "m.jpg", quality=50)
    assert [r.on(Size(30, 20)).box for r in read(tmp_path / "m.jpg").of("x")] == [Box(3, 2, 9, 7)]
    with pytest.raises(
        BoxError, match=r"m.png, part 1: was made for a picture of 30 x 20 px, but this one is 640 x 480"
    ):
        read(tmp_path / "m.png").of("x")[0].on(SIZE)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "empty.png")
    assert read(tmp_path / "empty.png").of("x") == ()


# The rounding rule.


@given(
    st.tuples(*[st.floats(-1e6, 1e6)] * 2),
    st.tuples(*[st.floats(1e-6, 1e6)] * 2),
)
def test_outward_holds_the_region_and_no_pixel_more(corner: tuple[float, float], size: tuple[float, float]) -> None:
    sides = (*corner, corner[0] + size[0], corner[1] + size[1])
    if sides[2] <= sides[0] or sides[3] <= sides[1]:
        return
    box = Box.outward(*sides)
    for low, high, first, last in (
        (sides[0], sides[2], box.left, box.right),
        (sides[1], sides[3], box.top, box.bottom),
    ):
        assert first - 1 < low
        assert first <= low + SLACK
        assert last >= high - SLACK
        assert last - 1 < high


def test_outward_forgives_what_decimals_lose() -> None:
    assert Box.outward(10 - 1 / 65, 10 + 1 / 65, 20 + 1 / 65, 20 - 1 / 65) == Box(10, 10, 20, 20)
    assert Box.outward(9.98, 10.02, 20.02, 19.98) == Box(9, 10, 21, 20)
    assert Box.outward(9.999, 5, 10.001, 6) == Box(9, 5, 11, 6)  # a sliver is not lost


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_outward_refuses_what_is_no_number(bad: float) -> None:
    for n in range(4):
        sides = [0.0, 0.0, 5.0, 5.0]
        sides[n] = bad
        with pytest.raises(BoxError, match=r"no area|not made of numbers"):
            Box.outward(*sides)


NO_REGIONS = """1,2,3 | 1,2,3,4,5 | a,b,c,d | 1,2,3,4e1 | ٣,1,2,3 | 1:2,3,4 | 1,2,3:4 | nan,1,2,3 | 1,2:3,4:5
| inf,0,1,1 | 1,2,3, | 0x1,2,3,4 | 1 2 3 4 | 10%,10%,5,5 | rel:1%,1%,1%,1% | px:1,2,3,4
| --1,2,3,4 | 1111111111111111111,2,3,4"""


@pytest.mark.parametrize("given_text", ["", *(form.strip() for form in NO_REGIONS.split("|"))])
def test_text_that_is_no_region(given_text: str) -> None:
    """The message repeats what was given and says what is known."""
    with pytest.raises(BoxError, match=r"40,60,128,96|mixes units") as told:
        text(given_text)
    assert repr(given_text) in str(told.value)


@pytest.mark.parametrize("given_text", ["1,2,0,4", "1,2,3,0", "1,2,-3,4", "rel:0,0,0,1", "5,5:5,9", "5,5:2,9"])
def test_text_without_area(given_text: str) -> None:
    with pytest.raises(BoxError, match="no area"):
        text(given_text).on(SIZE)


def test_blanks_and_signs() -> None:
    assert text(" +4, 6 ,1.,2").on(SIZE).box == Box(4, 6, 5, 8)
    with pytest.raises(BoxError, match="leaves the picture, which is 640 x 480"):
        text("-4,6,10,2").on(SIZE)
    assert text("-4,6,10,2").on(SIZE, clip=True).box == Box(0, 6, 6, 8)


# What is done with regions.


def boxes_of(regions: RegionRequest, size: Size = SIZE) -> list[Box]:
    return [found.box for found in regions.find(localsr.read(np.zeros((size.height, size.width), np.uint8)))]


def test_grow_min_size_and_score() -> None:
    region = text("100,100,50,20")
    assert boxes_of(RegionRequest((region,), margin=Margin.parse("10%"))) == [Box(95, 98, 155, 122)]
    assert boxes_of(RegionRequest((region,), margin=Margin.parse("16"))) == [Box(84, 84, 166, 136)]
    assert boxes_of(RegionRequest((text("0,0,50,20"),), margin=Margin.parse("12.5%"))) == [Box(0, 0, 57, 23)]
    assert boxes_of(RegionRequest((region, text("0,0,640,480")), min_size=21)) == [whole(SIZE)]
    assert boxes_of(RegionRequest((region,), min_size=20)) == [Box(100, 100, 150, 120)]
    sure, unsure = (Region(0, 0, 9, 9, score=score) for score in (0.9, 0.1))
    assert len(boxes_of(RegionRequest((sure, unsure, region)))) == 3
    assert len(boxes_of(RegionRequest((sure, unsure, region), min_score=0.5))) == 2
    for bad in ("-1", "10 %", "ten", "1001%", "nan%", ""):
        with pytest.raises(ConfigError, match="margin"):
            Margin.parse(bad)


def test_regions_travel_to_other_processes() -> None:
    regions = RegionRequest((text("1%,1%,5%,5%"),), ("face",), Margin(share=0.1), 0.5, 3, True, True)
    assert pickle.loads(pickle.dumps(regions)) == regions


@given(st.lists(st.builds(Box.from_xywh, *[st.integers(0, 40)] * 2, *[st.integers(1, 12)] * 2), max_size=12))
def test_merged_regions_are_apart(boxes: list[Box]) -> None:
    """Each box lies in one union, each union is the box around what it holds, and the order does not matter."""

    def overlap(one: Box, other: Box) -> bool:
        return max(one.left, other.left) < min(one.right, other.right) and max(one.top, other.top) < min(
            one.bottom, other.bottom
        )

    unions = [found.box for found in merge_overlapping([Found(box) for box in boxes])]
    assert not any(overlap(a, b) for n, a in enumerate(unions) for b in unions[:n])
    for union in unions:
        inside = [box for box in boxes if union.contains(box)]
        assert union == Box(
            min(b.left for b in inside),
            min(b.top for b in inside),
            max(b.right for b in inside),
            max(b.bottom for b in inside),
        )
    assert all(sum(union.contains(box) for union in unions) == 1 for box in boxes)
    assert set(unions) == {found.box for found in merge_overlapping([Found(box) for box in reversed(boxes)])}


def test_a_union_has_what_its_parts_share() -> None:
    one, two, far = Found(Box(0, 0, 9, 9), "a", 0.2), Found(Box(5, 5, 12, 12), "b", 0.7), Found(Box(50, 0, 60, 9), "c")
    assert merge_overlapping([one, far, two]) == [Found(Box(0, 0, 12, 12), "", 0.7), far]
    assert merge_overlapping([one, one._replace(score=None)]) == [one]


# Many pictures.


def test_names_are_compared_from_their_ends(tmp_path: Path) -> None:
    one = (Region(0, 0, 1, 1),)
    found = Annotations({"train/a.jpg": one, "val/a.jpg": one * 2, "b": one * 3, "": one * 4}, "x.json")
    assert len(found.of("/data/train/a.jpg")) == 5
    assert len(found.of("C:\\data\\val\\a.jpg")) == 6
    assert len(found.of("any/where/b.png")) == 7
    assert len(found.of("a.png")) == 4
    assert found.of("test/a.jpg") == one * 4
    with pytest.raises(BoxError, match=r"x.json has regions for train/a.jpg and for val/a.jpg; a.jpg fits each"):
        found.of("a.jpg")
    single = Annotations({"a.jpg": one}, "x.json")
    assert (single.of("b.jpg"), single.of("b.jpg", paired=True)) == ((), one)


def test_a_folder_breaks_by_the_picture(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.txt").write_text("0 .5 .5 .1 .1\n")
    (tmp_path / "train/classes.txt").write_text("sign\n")
    (tmp_path / "b.txt").write_bytes(b"\xff\n")
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "v.xml").write_text(voc([(1, 2, 3, 4)], SIZE).replace("a photo", "v"))
    found = read(tmp_path)
    assert sorted(found.pictures) == ["c", "train/a", "v.jpg"]
    assert found.of("x/train/a.jpg")[0].label == "sign"
    assert found.of("c.jpg") == ()
    with pytest.raises(BoxError, match=r"b.txt, line 1: is no text in UTF-8"):
        found.of("b.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BoxError, match="holds no files of regions"):
        read(tmp_path / "empty")


def annotated(*boxes: object) -> dict[str, object]:
    """COCO's document of one picture, `a.jpg`, of which each `bbox` may be malformed."""
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "bbox": box} for box in boxes],
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", json.dumps(annotated([1, 2, 3, 4], [8, 8, 0, 0])), "annotations[1]: box"),
        ("a.json", json.dumps(annotated(None, [1, 2, 3, 4])), "annotations[0]: has no bbox"),
        ("a.json", json.dumps({"shapes": [{"points": [[5, 5]]}, {"points": [[4, 6], [1, 2]]}]}), "shapes[0]: box"),
        ("a.json", json.dumps({"shapes": [{"points": []}, {"points": [[4, 6], [1, 2]]}]}), "shapes[0]: has no points"),
        ("a.xml", voc([(1, 2, 4, 6), (9, 9, 5, 12)], SIZE).replace("a photo", "a"), "no area"),
        ("a.txt", f"0 .5 .5 .1\n{yolo([(1, 2, 4, 6)], SIZE)}", "line 1: has 4 numbers"),
        ("a.jsonl", '{"box": [1, 2, 4, 6]}\n{"box": [600, 2, 700, 6]}', "leaves the picture"),
    ],
)
def test_a_bad_region_costs_itself_only(tmp_path: Path, name: str, content: str, reason: str) -> None:
    """One bad entry among good ones of a picture: without area, outside, malformed, in each format."""
    (tmp_path / name).write_text(content)
    photo = localsr.read(np.zeros((SIZE.height, SIZE.width), np.uint8))
    request = RegionRequest(read(tmp_path / name).of("a.jpg"))
    found, refused = request.sift(photo)
    assert [one.box for one in found] == [Box(1, 2, 4, 6)]
    assert [reason in told.reason for told in refused] == [True]
    with pytest.raises(BoxError, match=re.escape(refused[0].reason)):
        request.find(photo)


def test_a_minimum_size_drops_regions_without_area_and_no_inverted_ones() -> None:
    photo = localsr.read(np.zeros((48, 64), np.uint8))
    given = (Region(8, 8, 8, 8), Region(8, 8, 24, 8), Region(9, 9, 5, 12))
    assert len(RegionRequest(given).sift(photo)[1]) == 3
    found, refused = RegionRequest(given, min_size=1).sift(photo)
    assert (found, [told.region for told in refused]) == ((), [given[2]])


def test_an_annotation_of_no_picture_stops_no_other(tmp_path: Path) -> None:
    document = annotated([1, 2, 3, 4], [5, 5, 9, 9])
    document["annotations"][1]["image_id"] = 9  # type: ignore[index]
    (tmp_path / "a.json").write_text(json.dumps(document))
    found = read(tmp_path / "a.json")
    assert [region.on(SIZE).box for region in found.of("a.jpg")] == [Box(1, 2, 4, 6)]
    with pytest.raises(BoxError, match=r"annotations\[1\]: is of image 9, which is not among the images"):
        found.of("9.jpg")[0].on(SIZE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "segmentation": [[%s]]}]}',
        ),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "segmentation": '
            '{"size": [9, 9], "counts": [%s]}}]}',
        ),
        ("a.json", '{"shapes": [{"points": [[%s]]}], "imagePath": "a.jpg"}'),
    ],
)
def test_an_outline_of_a_megabyte_is_refused_before_it_is_read(tmp_path: Path, name: str, content: str) -> None:
    """Of annotations from strangers: six million points in one region took 4 s and 650 MB."""
    (tmp_path / name).write_text(content % ",".join(["1"] * 600_000))
    (region,) = read(tmp_path / name).of("a.jpg")
    with pytest.raises(BoxError, match="its outline has 1,2"):
        region.on(Size(9, 9))


@settings(deadline=None)
@given(runs=st.lists(st.integers(0, 10**6), min_size=1, max_size=20), cut=st.integers(0, 3))
def test_packed_runs_are_those_that_were_packed(runs: list[int], cut: int) -> None:
    """Of masks in COCO's results, against pycocotools' way to pack them, written out again."""
    packed = ""
    for n, run in enumerate(runs):
        left, more = run - (runs[n - 2] if n > 2 else 0), True
        while more:
            bits, left = left & 31, left >> 5
            more = left != (-1 if bits & 16 else 0)
            packed += chr((bits | 32 * more) + 48)
    height = sum(runs) + 1
    said = painted_sides_or_refusal(RunLengths((height, 1), packed))
    assert said == painted_sides_or_refusal(RunLengths((height, 1), runs))
    painted_sides_or_refusal(RunLengths((height, 1), packed[: len(packed) - cut]))  # sides, or a sentence


def painted_sides_or_refusal(mask: RunLengths) -> Sides | str:
    """Return the box around what is painted, or why there is none."""
    try:
        return painted_sides(mask, "x")
    except BoxError as error:
        return str(error)


@pytest.mark.parametrize("row", ["0 .25 .5 .5 .25 .75 .75", "0 .25 .25 .75 .25 .75 .75 .25 .75"])
def test_polygons_and_turned_boxes_of_yolo(tmp_path: Path, row: str) -> None:
    """Outlines in YOLO's text, of three points or of an OBB's four: the box around them."""
    (tmp_path / "a.txt").write_text(row)
    assert [region.on(Size(64, 48)).box for region in read(tmp_path / "a.txt").of("a.jpg")] == [Box(16, 12, 48, 36)]


def test_whole_numbers_with_a_point_and_ids_as_text(tmp_path: Path) -> None:
    """Whole numbers as 64.0, and ids that are numbers here and text there."""
    for number in (1, 1.0, "1"):
        document = annotated([1, 2, 3, 4]) | {"categories": [{"id": 1.0, "name": "sign"}]}
        document["images"][0] |= {"width": 640.0, "height": 480.0}  # type: ignore[index]
        document["annotations"][0] |= {"image_id": number, "category_id": number}  # type: ignore[index]
        (tmp_path / "a.json").write_text(json.dumps(document))
        (region,) = read(tmp_path / "a.json").of("a.jpg")
        assert (region.label, region.size, region.on(SIZE).box) == ("sign", SIZE, Box(1, 2, 4, 6))


@pytest.mark.parametrize("counts", [[392, 16, 32, 16, 32, 16, 2568], "X<`0P1000X_2"])
def test_masks_as_run_lengths(tmp_path: Path, counts: object) -> None:
    """COCO's run lengths alone, as numbers and packed: the box around what is painted."""
    document = annotated(None)
    document["annotations"][0] |= {"segmentation": {"size": [48, 64], "counts": counts}}  # type: ignore[index]
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert [region.on(Size(64, 48)).box for region in read(tmp_path / "a.json").of("a.jpg")] == [Box(8, 8, 11, 24)]


# Malformed files.


def through(path: Path, picture: str) -> list[Found]:
    return [region.on(SIZE) for region in read(path).of(picture, paired=True)]


XML = (
    "<annotation><object>\n<bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>"
    "</object></annotation>"
)
LAUGHS = '<?xml version="1.0"?>\n<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<annotation>&b;</annotation>'


def one_coco(**changes: object) -> str:
    annotation = {"image_id": 1, "bbox": [1, 2, 3, 4]} | changes
    return json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [annotation]}, allow_nan=True)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "", ("line 1", "cut off")),
        ("a.json", '{"images": [],\n"annotations": [}', ("line 2", "no JSON")),
        ("a.json", "{}", ("neither images and annotations", "nor shapes")),
        ("a.json", "[" * 100_000, ("Expected object, got array",)),
        ("a.json", '{"x":' + "[" * 100_000, ("nested too deeply",)),
        ("a.json", one_coco(bbox=["1px", 2, 3, 4]), ("annotations[0].bbox[0]", "Expected float, got str")),
        ("a.json", one_coco(bbox=[1, 2, 3]), ("annotations[0].bbox", "length 4")),
        ("a.json", one_coco(bbox=[1, math.nan, 3, 4]), ("annotations[0].bbox[1]", "got null")),
        ("a.json", one_coco(bbox=[1, -math.inf, 3, 4]), ("annotations[0].bbox[1]", "got null")),
        ("a.json", one_coco().replace("3, 4", "3, 1e999"), ("annotations[0].bbox[3]", "out of range")),
        ("a.json", one_coco(bbox=[True, 2, 3, 4]), ("annotations[0].bbox[0]", "bool")),
        ("a.json", one_coco(bbox=[1, 2, -3, 4]), ("annotations[0]: box 1,2,-3,4 has no area; width",)),
        ("a.json", one_coco(bbox=[1, 2, 0, 0]), ("annotations[0]", "no area")),
        ("a.json", one_coco(bbox=[600, 2, 50, 4]), ("annotations[0]: box 600,2,50,4 leaves the picture", "640 x 480")),
        ("a.json", one_coco(bbox=[1, 2, 1e30, 4]), ("annotations[0]", "not made of numbers")),
        ("a.json", one_coco(bbox=None), ("annotations[0]", "no bbox")),
        ("a.json", one_coco(bbox=None, segmentation=[[1, 2, 3]]), ("annotations[0]", "no polygons")),
        ("a.json", one_coco(bbox=None, segmentation={"counts": "x", "size": [1, 2]}), ("annotations[0]", "no packed")),
        ("a.json", one_coco(bbox=None, segmentation=[["a", 2]]), ("annotations[0]", "Expected float, got str")),
        ("a.json", one_coco(image_id=[2]), ("annotations[0].image_id", "got array")),
        ("a.json", '{"images": [{}], "annotations": []}', ("images[0]", "missing required field id")),
        ("a.json", '{"shapes": [{"points": []}]}', ("shapes[0]", "no points")),
        ("a.json", '{"shapes": [{"points": [[1, 2]]}]}', ("shapes[0]", "no area")),
        ("a.json", '{"shapes": [{"points": [[1, 2], [3]]}]}', ("shapes[0].points[1]", "length 2")),
        ("a.json", '{"shapes": [], "imageWidth": "wide"}', ("imageWidth", "got str")),
        ("a.jsonl", '{"box": [1, 2, 3, 4]}\n\n{"box": [1, 2, 3]}', ("line 3", "left, top, right, bottom")),
        ("a.jsonl", '{"box": [1, 2, 3, 4], "bbox": [1, 2, 3, 4]}', ("line 1", "one of box and bbox")),
        ("a.jsonl", '{"label": "x"}', ("line 1", "one of box and bbox")),
        ("a.jsonl", '{"bbox": [1, 2, 3, "d"]}', ("line 1, bbox[3]", "got str")),
        ("a.jsonl", '{"bbox": [1, 2, 3, 4]', ("line 1", "cut off")),
        ("a.jsonl", "1,2,3,4\n1,2,3", ("line 2", "'1,2,3' is no region")),
        ("a.jsonl", '{"box": "1,2,x,4"}', ("line 1", "'1,2,x,4'")),
        ("a.jsonl", "[1, 2, 3, 4]", ("line 1", "no region")),
        ("a.jsonl", "1,2,3,4\n\xff", ("line 2", "UTF-8")),
        ("a.txt", "0 .5 .5 .1 .1\n0 .5 .5 .1", ("line 2", "has 4 numbers", "x centre")),
        ("a.txt", "0 .5 .5 .1 .1 .1 .1 .1", ("line 1", "has 8 numbers")),
        ("a.txt", "0 .5 nan .1 .1", ("line 1", "y centre 'nan' is no number")),
        ("a.txt", "0 .5 .5 1e999 .1", ("line 1", "width '1e999' is no number")),
        ("a.txt", "0 .5 .5 -.1 .1", ("line 1", "width is -0.1", "from 0 to 1")),
        ("a.txt", "0 320 240 64 48", ("line 1", "x centre is 320", "a share of the picture")),
        ("a.txt", "0 .5 .5 0 .1", ("line 1", "no area")),
        ("a.txt", "-1 .5 .5 .1 .1", ("line 1", "class -1")),
        ("a.txt", "dog .5 .5 .1 .1", ("line 1", "class 'dog' is no number")),
        ("a.xml", "", ("line 1", "no XML", "no element found")),
        ("a.xml", "<annotation>\n<object></annotation>", ("line 2", "no XML", "mismatched tag")),
        ("a.xml", LAUGHS, ("line 2", "document type")),
        ("a.xml", '<?xml version="1.0" encoding="foo"?><annotation/>', ("line 1", "foo")),
        ("a.xml", '<?xml version="1.0" encoding="big5"?><annotation/>', ("line 1", "multi-byte")),
        ("a.xml", "<svg/>", ("line 1", "'svg'", "begins with annotation")),
        ("a.xml", "<annotation>" * 100, ("line 1", "nested too deeply")),
        ("a.xml", XML.format("nan"), ("line 1", "xmin 'nan' is no number")),
        ("a.xml", XML.format(""), ("line 1", "xmin '' is no number")),
        ("a.xml", XML.format("6"), ("line 1", "no area")),
        ("a.xml", XML.format("-3"), ("line 1", "leaves the picture")),
        ("a.xml", "<annotation>\n\n<object><name>x</name></object></annotation>", ("line 3", "lacks xmin, ymin, xmax")),
        ("a.xml", "<annotation><size><width>x</width></size></annotation>", ("line 1", "width 'x'")),
        ("a.doc", "x", ("no file of regions", "COCO")),
    ],
)  # fmt: skip
def test_malformed_files_say_where_and_why(tmp_path: Path, name: str, content: str, words: Sequence[str]) -> None:
    (tmp_path / name).write_text(content, encoding="latin-1")
    with pytest.raises(BoxError) as told:
        through(tmp_path / name, "a.jpg")
    assert str(told.value).startswith(str(tmp_path / name))
    assert all(word in str(told.value) for word in words), str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600


def test_files_that_are_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BoxError, match=r"gone.json is not there"):
        read(tmp_path / "gone.json")
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1\n" * 10)
    monkeypatch.setattr("localsr.regions.formats.yolo.MAX_TEXT_BYTES", 100)
    with pytest.raises(BoxError, match=r"a.txt has more than 100 bytes"):
        read(tmp_path / "a.txt")
    monkeypatch.setattr("localsr.regions.request.MAX_REGIONS", 3)
    with pytest.raises(BoxError, match="4 regions are more than the 3"):
        boxes_of(RegionRequest((text("0,0,1,1"),) * 4))


def test_a_file_for_another_picture_is_refused() -> None:
    region = Region(0, 0, 5, 5, size=Size(480, 640), origin="a.json, shapes[0]")
    with pytest.raises(BoxError, match=r"a.json, shapes\[0\]: was made for 480 x 640 px.*lay on its side"):
        region.on(SIZE)
    with pytest.raises(BoxError, match="was made for a picture of 480 x 640 px, but this one is 64 x 48"):
        region.on(Size(64, 48))


SEEDS = [
    ("a.json", json.dumps(coco([(1, 2, 3, 4)], SIZE))),
    ("a.json", json.dumps(labelme([(1, 2, 3, 4)], SIZE))),
    ("a.xml", voc([(1, 2, 3, 4)], SIZE)),
    ("a.txt", yolo([(1, 2, 3, 4)], SIZE)),
    ("a.jsonl", jsonl([(1, 2, 3, 4)] * 3, SIZE)),
]


@CASES
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)), max_size=4)
)
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, seed: tuple[str, str], damage: list[tuple[float, int, bytes]]
) -> None:
    """Bytes put in, taken out, exchanged: nothing but a sentence, or regions that lie in the picture."""
    data = seed[1].encode()
    for place, gone, new in damage:
        at = int(place * len(data))
        data = data[:at] + new + data[at + gone :]
    (tmp_path / seed[0]).write_bytes(data)
    try:
        found = through(tmp_path / seed[0], NAME)
    except LocalSRError as error:
        told = str(error)
    else:
        told = str(tmp_path / seed[0])
        assert all(whole(SIZE).contains(one.box) for one in found)
    assert told.startswith(str(tmp_path / seed[0]))


def test_a_folder_of_masks(tmp_path):
    for name in ("a", "b"):
        painted = np.zeros((20, 30), np.uint8)
        painted[4:9, 5:11] = 255
        Image.fromarray(painted).save(tmp_path / f"{name}.png")
    annotations = read(tmp_path)
    for name in ("a.jpg", "sub/b.jpg"):
        (region,) = annotations.of(name)
        assert (region.left, region.top, region.right, region.bottom) == (5, 4, 11, 9)
    assert annotations.of("c.jpg") == ()


def test_coco_results_with_ids_of_twelve_digits(tmp_path):
    (tmp_path / "r.json").write_text('[{"image_id": 42, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1}]')
    annotations = read(tmp_path / "r.json")
    assert len(annotations.of("000000000042.jpg")) == 1
    assert annotations.of("000000000420.jpg") == ()
