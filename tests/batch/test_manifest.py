"""Manifests: folders, tables, lines and annotations that name pictures, and what is wrong with them."""

import re
from pathlib import Path

import pytest
from batches import InlineEngine, request, write_picture
from tables import write_parquet

from localsr.batch.manifest import read_manifest
from localsr.batch.rows import Status
from localsr.batch.runner import run_batch
from localsr.batch.table import read_table
from localsr.errors import BoxError, ConfigError, DataError
from localsr.regions import RegionRequest
from localsr.regions import read as read_annotations


def test_a_csv(tmp_path) -> None:
    path = tmp_path / "m.csv"
    path.write_text('picture,box,label\na.jpg,"1,2,3,4",car\nsub/b.jpg,"10%,0%,5%,5%",\na.jpg,"5,5:9,9; 1,1,2,2",bus\n')
    one, two = read_manifest(str(path), RegionRequest())
    assert (one.picture, two.picture) == (str(tmp_path / "a.jpg"), str(tmp_path / "sub/b.jpg"))
    assert [(r.left, r.right, r.label, r.origin) for r in one.request.given] == [
        (1, 4, "car", "m.csv, line 2"),
        (5, 9, "bus", "m.csv, line 4"),
        (1, 3, "bus", "m.csv, line 4"),
    ]
    assert two.request.given[0].relative


@pytest.mark.parametrize(
    ("header", "line"), [("x,y,width,height", "1,2,3,4"), ("left,top,right,bottom", "1,2,4,6"), ("x,y,w,h", "1,2,3,4")]
)
def test_columns_of_numbers(tmp_path, header, line) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"file_name,score,{header}\na.jpg,0.5,{line}\nb.jpg,,,,,\n")
    one, two = read_manifest(str(path), request("0,0,5,5"))
    (own,) = one.request.given[1:]
    assert (own.left, own.top, own.right, own.bottom, own.score) == (1, 2, 4, 6, 0.5)
    assert len(two.request.given) == 1  # what is asked of every picture


@pytest.mark.parametrize(
    "content",
    [
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,sign,1,2,4,6\n",
        "Picture, X, Y, Width, Height\na.jpg, 1, 2, 3.0, 4\n,,,,\n",
        'image,bbox\na.jpg,"1,2,3,4"\n',
        "picture,x,y,width,height\na.jpg,1,2,3,4\na.jpg,nan,nan,nan,nan\n",
    ],
)
def test_columns_as_others_write_them(tmp_path, content) -> None:
    """Names of columns, capitals, blanks, empty rows, and cells without a number."""
    (tmp_path / "m.csv").write_text(content)
    (task,) = read_manifest(str(tmp_path / "m.csv"), RegionRequest())
    assert [(r.left, r.top, r.right, r.bottom) for r in task.request.given] == [(1, 2, 4, 6)]


def test_some_sides_of_a_box_are_not_taken_for_none(tmp_path) -> None:
    (tmp_path / "m.csv").write_text("picture,xmin,ymin,x2\na.jpg,1,2,3\n")
    with pytest.raises(DataError, match="has the columns x2, xmin, ymin; a box has left, top"):
        read_manifest(str(tmp_path / "m.csv"), RegionRequest())


def test_parquet_and_json_lines_say_the_same(tmp_path) -> None:
    columns = {"picture": ["a.png", "b.png"], "boxes": [[[1, 2, 3, 4]], [[0, 0, 9, 9], [5, 5, 6, 6]]]}
    write_parquet(tmp_path / "m.parquet", columns)
    found = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())
    assert [[(r.left, r.top, r.right, r.bottom) for r in task.request.given] for task in found] == [
        [(1, 2, 4, 6)],
        [(0, 0, 9, 9), (5, 5, 11, 11)],
    ]
    assert [Path(task.picture).name for task in found] == ["a.png", "b.png"]


def test_a_folder_and_a_pattern(tmp_path) -> None:
    for name in ("a.jpg", "b.png", "deep/c.png"):
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    asked = request("0,0,9,9")
    assert [Path(task.picture).name for task in read_manifest(str(tmp_path), asked)] == ["a.jpg", "b.png", "c.png"]
    assert [Path(task.picture).name for task in read_manifest(str(tmp_path), asked, "*.png")] == ["b.png"]
    with pytest.raises(ConfigError, match="3 pictures but no regions"):
        read_manifest(str(tmp_path), RegionRequest())
    with pytest.raises(DataError, match=r"no pictures by '\*\.gif'"):
        read_manifest(str(tmp_path), asked, "*.gif")


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ('picture,box\na.png,"1,1,2,2"\nb.png\n', DataError, r"m\.csv, line 3: .* not as many cells"),
        ("name,box\na.png,1\n", DataError, "no column called picture"),
        ('picture,box\n,"1,1,2,2"\n', DataError, r"line 2: has no picture's name"),
        ('picture,box\n"a.png\n', DataError, "cannot be read as CSV"),
        ("", DataError, "no column called picture"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, error, told) -> None:
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(error, match=told):
        read_manifest(str(path), RegionRequest())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('picture,box\na.png,nonsense\na.png,"1,2,3,4"\n', r"m\.csv, line 2: 'nonsense' is no region"),
        ("picture,x,y,w,h\na.png,1,x,3,4\na.png,1,2,3,4\n", r"line 2: y is 'x'"),
        ("picture,x,y,width,height\na.png,1,,3,4\na.png,1,2,3,4\n", r"line 2: y is ''"),
        (
            "picture,x,y,width,height,xmin,ymin,xmax,ymax\na.png,1,2,3,4,1,2,3,4\na.png,,,,,1,2,4,6\n",
            r"line 2: says two boxes, 1,2:3,4 and 1,2:4,6; leave one",
        ),
        ('picture,box,bbox\na.png,"1,1,9,9","1,2,3,4"\na.png,"1,2,3,4","1,2,3,4"\n', "line 2: says two boxes"),
        ('picture,box\na.png,"[1, 2"\na.png,"[1, 2, 3, 4]"\n', "line 2: .* is no JSON"),
    ],
)
def test_a_bad_cell_costs_its_region_only(tmp_path, content, told) -> None:
    """As in every format: what cannot be read is refused with its reason, and the good rows of a picture count."""
    (tmp_path / "m.csv").write_text(content)
    (task,) = read_manifest(str(tmp_path / "m.csv"), RegionRequest())
    bad, good = task.request.given
    assert re.search(told, bad.problem)
    assert (good.left, good.top, good.right, good.bottom, good.problem) == (1, 2, 4, 6, "")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfpicture;x;y;width;height\r\na.jpg;1;2;3;4\r\n",
        "picture\tx\ty\twidth\theight\r\na.jpg\t1\t2\t3\t4\r\n".encode("utf-16"),
        b"sep=,\r\npicture,x,y,width,height\r\na.jpg,1,2,3,4\r\n",
        b"picture,x,y,width,height\ra.jpg,1,2,3,4\r",
        b",picture,x,y,width,height\n0,a.jpg,1,2,3,4\n",
        b"input,left,top,right,bottom,width,height\na.jpg,1,2,4,6,640,480\n",
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path, content) -> None:
    """Delimiters, a line that names one, encodings with a mark, ends of lines, an index; corners and a size."""
    (tmp_path / "m.csv").write_bytes(content)
    (task,) = read_manifest(str(tmp_path / "m.csv"), RegionRequest())
    assert [(r.left, r.top, r.right, r.bottom) for r in task.request.given] == [(1, 2, 4, 6)]


@pytest.mark.parametrize(
    "cells",
    [
        {"picture": ["a.jpg"], "box": [{"x": 1, "y": 2, "width": 3, "height": 4}]},
        {"picture": ["a.jpg"], "box": [{"xmin": 1.0, "ymin": 2.0, "xmax": 4.0, "ymax": 6.0}]},
        {"picture": ["a.jpg"], "box": ["[1, 2, 3, 4]"]},
        {"picture": ["a.jpg"], "boxes": ["[[1, 2, 3, 4]]"]},
        {"image": [{"bytes": b"x", "path": "a.jpg"}], "objects": [{"bbox": [[1.0, 2.0, 3.0, 4.0]], "categories": [7]}]},
    ],
)
def test_parquet_of_other_tools(tmp_path, cells) -> None:
    """Structures by their keys, lists as text, data sets whose pictures carry their bytes."""
    write_parquet(tmp_path / "m.parquet", cells)
    (task,) = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())
    (region,) = task.request.given
    assert (region.left, region.top, region.right, region.bottom) == (1, 2, 4, 6)
    assert region.label == ("7" if "objects" in cells else "")
    assert task.picture == str(tmp_path / "a.jpg")


def test_a_label_for_each_of_several_boxes(tmp_path) -> None:
    boxes, labels, scores = [[[1, 2, 3, 4], [0, 0, 4, 4]]], [["a", "b"]], [[0.5, 0.75]]
    columns = {"picture": ["a.jpg"], "boxes": boxes, "label": labels, "score": scores}
    write_parquet(tmp_path / "m.parquet", columns)
    (task,) = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())
    assert [(region.label, region.score) for region in task.request.given] == [("a", 0.5), ("b", 0.75)]
    write_parquet(tmp_path / "m.parquet", columns | {"label": [["a"]]})
    (task,) = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())
    assert [region.problem for region in task.request.given] == [
        "m.parquet, row 1: has 1 of label or labels for 2 regions"
    ]


def test_linked_folders_are_followed_and_circles_end(tmp_path) -> None:
    write_picture(tmp_path / "elsewhere/a.png")
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/train").symlink_to("../elsewhere")
    (tmp_path / "in/deep/up").symlink_to("..")
    found = read_manifest(str(tmp_path / "in"), request("0,0,9,9"))
    assert [task.picture for task in found] == [str(tmp_path / "in/train/a.png")]
    found = read_manifest(str(tmp_path / "in"), request("0,0,9,9"), "**/*.png")
    assert [task.picture for task in found] == [str(tmp_path / "in/train/a.png")]
    (tmp_path / "elsewhere/a.txt").write_text("0 .5 .5 .1 .1")
    assert list(read_annotations(tmp_path / "in").pictures) == ["train/a"]


def test_a_manifest_of_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    """By bytes, and by lines or rows, which are counted first."""
    monkeypatch.setattr("localsr.regions.formats.documents.check_count.__defaults__", (3,))
    (tmp_path / "m.csv").write_text("picture,box\n" + 'a.png,"1,1,2,2"\n' * 4)
    write_parquet(tmp_path / "m.parquet", {"picture": ["a.png"] * 4, "box": ["1,1,2,2"] * 4})
    (tmp_path / "m.jsonl").write_text('{"picture": "a.png", "box": "1,1,2,2"}\n' * 4)
    for name in ("m.csv", "m.parquet", "m.jsonl"):
        with pytest.raises(BoxError, match=rf"{name} has [45] (lines|rows); of a file, 3 regions are read: split it"):
            read_manifest(str(tmp_path / name), RegionRequest())
    monkeypatch.setattr("localsr.batch.manifest.MAX_JSON_BYTES", 50)
    with pytest.raises(DataError, match=r"m\.csv has 76 bytes; up to 50 are read"):
        read_manifest(str(tmp_path / "m.csv"), RegionRequest())


def test_a_missing_side_is_no_zero_and_a_zero_is_no_missing_score(tmp_path) -> None:
    line = {"picture": "a.png", "x": 1, "y": 2, "width": 3, "height": 4, "label": 0, "score": 0.0}
    write_parquet(tmp_path / "m.parquet", {name: [cell] for name, cell in line.items()})
    (region,) = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())[0].request.given
    assert (region.label, region.score) == ("0", 0.0)
    for hole in ({"y": None}, {"x": None, "box": [1, None, 3, 4]}):
        both = ({"box": None} | line, {"box": None} | line | hole)
        write_parquet(tmp_path / "m.parquet", {name: [line[name] for line in both] for name in both[0]})
        (task,) = read_manifest(str(tmp_path / "m.parquet"), RegionRequest())
        good, bad = task.request.given
        assert (good.left, good.problem) == (1, "")
        assert re.search(r"row 2: (y|box) is 'None'", bad.problem)


def test_a_line_may_name_a_picture_alone_or_with_a_detector(tmp_path) -> None:
    (tmp_path / "m.csv").write_text('picture,box,detector\na.png,,face\nb.png,"1,1,2,2",\nc.png,,\n')
    (tmp_path / "m.jsonl").write_text(
        '{"image": "a.png", "detector": "face"}\n{"picture": "b.png", "bbox": [1, 1, 2, 2]}\n{"file_name": "c.png"}\n'
    )
    for manifest in ("m.csv", "m.jsonl"):
        found = read_manifest(str(tmp_path / manifest), RegionRequest())
        assert [(Path(task.picture).name, task.request.detect, len(task.request.given)) for task in found] == [
            ("a.png", ("face",), 0),
            ("b.png", (), 1),
            ("c.png", (), 0),
        ]
    both = read_manifest(str(tmp_path / "m.csv"), RegionRequest(detect=("plate",)))
    assert both[0].request.detect == ("plate", "face")


def test_one_picture_by_two_names_is_one(tmp_path) -> None:
    (tmp_path / "m.jsonl").write_text(
        '{"picture": "a.png", "box": "1,1,2,2"}\n{"picture": "./a.png", "box": "3,3,4,4"}'
    )
    (task,) = read_manifest(str(tmp_path / "m.jsonl"), RegionRequest())
    assert [region.left for region in task.request.given] == [1, 3]


def test_annotations_that_cannot_be_told_cost_their_pictures(tmp_path, setup) -> None:
    for name in ("a.png", "b.png", "c.png", "x/d.png", "y/d.png"):
        write_picture(tmp_path / "in" / name)
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.2")
    (labels / "b.txt").write_text("0 0.5 0.5 0.2")
    (labels / "d.txt").write_text("0 0.5 0.5 0.2 0.2")
    listed = read_manifest(str(tmp_path / "in"), RegionRequest(), None, read_annotations(labels))
    tally = run_batch(listed, setup, lambda: InlineEngine(setup))
    assert tally.states == {Status.DONE: 1, Status.EMPTY: 1, Status.FAILED: 3}
    told = {Path(row.input).stem: row.reason for row in read_table(setup.folder)}
    assert "b.txt, line 1" in told["b"]
    assert "which may be" in told["d"]
    (labels / "instances.json").write_text('{"images": [')
    with pytest.raises(BoxError, match=r"instances\.json"):
        read_manifest(str(tmp_path / "in"), RegionRequest(), None, read_annotations(labels))
    (tmp_path / "other.jsonl").write_text('{"picture": "elsewhere.png", "box": "1,1,2,2"}')
    with pytest.raises(DataError, match=r"elsewhere\.png, which is no picture of"):
        read_manifest(str(tmp_path / "in"), RegionRequest(), None, read_annotations(tmp_path / "other.jsonl"))


def test_names_without_a_picture_are_counted_and_listed(tmp_path) -> None:
    """Names that mean one picture are matched; what is left over is said, and what is the same comes first."""
    for name in ("my photo.JPG", "b.jpg", "b.JPG"):
        write_picture(tmp_path / "in" / name)
    lines = [f'{{"picture": "{name}", "box": "1,1,2,2"}}' for name in ("my%20photo.jpg", "b.jpg", "c.jpg", "d.jpg")]
    (tmp_path / "in/m.jsonl").write_text("\n".join(lines))
    notes: list[str] = []
    boxes = read_annotations(tmp_path / "in/m.jsonl")
    tasks = read_manifest(str(tmp_path / "in"), RegionRequest(), None, boxes, "", notes.append)
    assert {Path(task.picture).name: len(task.request.given) for task in tasks} == {
        "my photo.JPG": 1,
        "b.jpg": 1,
        "b.JPG": 0,
    }
    assert [note.partition(": ")[2] for note in notes] == ["2 names without a picture: c.jpg, d.jpg"]
    listed = read_manifest(str(tmp_path / "in/m.jsonl"), RegionRequest())
    assert [Path(task.picture).name for task in listed] == ["my photo.JPG", "b.jpg", "c.jpg", "d.jpg"]


def test_strays_are_no_pictures(tmp_path) -> None:
    """What systems leave in a folder of pictures is passed over; other suffixes of JPEG are pictures."""
    strays = ("._a.jpg", ".thumbnails/a.png", "@eaDir/a.jpg/SYNO.jpg", "$RECYCLE.BIN/$R1.jpg", "#recycle/c.jpg")
    for name in ("a.jpg", *strays):
        write_picture(tmp_path / name)
    (tmp_path / "c.HEIC").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    (tmp_path / "b.jfif").write_bytes((tmp_path / "a.jpg").read_bytes())
    notes: list[str] = []
    found = read_manifest(str(tmp_path), request("0,0,9,9"), note=notes.append)
    assert [Path(task.picture).name for task in found] == ["a.jpg", "b.jfif"]
    assert [note.partition(": ")[2] for note in notes] == [
        "1 pictures in formats that are not read are passed over: c.HEIC",
        f"5 pictures that systems leave behind are passed over: {', '.join(sorted(strays))}",
    ]


def test_labels_alone_are_no_pictures(tmp_path) -> None:
    """Of names without a picture: who gives the labels' folder hears where it goes."""
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1")
    with pytest.raises(DataError, match=r"no pictures but 1 files that may be of regions.* this one as --boxes"):
        read_manifest(str(tmp_path), RegionRequest())
    write_picture(tmp_path / "a.png")
    assert len(read_manifest(str(tmp_path), RegionRequest(), boxes=read_annotations(tmp_path))) == 1


def test_results_are_no_pictures(tmp_path) -> None:
    for name in ("a.png", "out/a-1.png", "outer/b.png"):
        write_picture(tmp_path / name)
    found = read_manifest(str(tmp_path), request("0,0,9,9"), out=str(tmp_path / "out"))
    assert [Path(task.picture).name for task in found] == ["a.png", "b.png"]
    with pytest.raises(ConfigError, match="OUT is the folder of the pictures"):
        read_manifest(str(tmp_path), request("0,0,9,9"), out=str(tmp_path))
    for pattern in ("/tmp/*.png", "a**b"):
        with pytest.raises(ConfigError, match="no pattern within a folder"):
            read_manifest(str(tmp_path), request("0,0,9,9"), pattern)


def test_a_manifest_that_is_not_there(tmp_path) -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_manifest(str(tmp_path / "none.csv"), RegionRequest())
