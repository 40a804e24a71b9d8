"""Errors speak the words of whoever is told: a caller, a user of the command, a client of the service."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import localsr
from localsr.cli.exits import describe_error
from localsr.errors import Advice, BoxError, ConfigError, LocalSRError, OutputError, StoppedError
from localsr.geometry import Box, Size
from localsr.regions import RegionRequest, read, text

SIZE = Size(640, 480)
SOURCES = Path(localsr.__file__).parent
LIBRARY = ("geometry", "images", "inference", "models", "regions", "onnx", "resize.py", "loading.py", "data", "frames")
COMMANDS = re.compile(r"raise \w+Error\((?:[^()]|\([^()]*\))*--[a-z]")


def leaving(box: object) -> BoxError:
    with pytest.raises(BoxError) as told:
        box.on(SIZE) if hasattr(box, "on") else box.checked(SIZE)  # type: ignore[attr-defined]
    return told.value


def test_each_edge_has_its_own_words() -> None:
    """What a call takes is not told to one who typed a command, nor an option to one who called."""
    library, typed = leaving(Box(600, 0, 700, 9)), leaving(text("600,0,100,9"))
    assert str(library) == (
        "box (600, 0, 700, 9) leaves the picture, which is 640 x 480; clip it with Box.clipped(size), or pass clip=True"
    )
    told = "box 600,0,100,9 leaves the picture, which is 640 x 480; cut off what leaves it with --clip"
    assert describe_error(typed) == (2, told)
    assert library.told("service") == "box (600, 0, 700, 9) leaves the picture, which is 640 x 480"


@given(st.integers(500, 900), st.integers(0, 900), st.integers(141, 900), st.integers(1, 900))
def test_a_box_is_told_as_it_was_given(x: int, y: int, width: int, height: int) -> None:
    """By x, y, width and height, by corners, or in percent: numbers that nobody gave are in no message."""
    for said in (f"{x},{y},{width},{height}", f"{x},{y}:{x + width},{y + height}", f"{x}%,{y}%,{width}%,{height}%"):
        assert f"box {said} leaves the picture" in leaving(text(said)).told("command")


def test_boxes_of_files_are_told_as_the_files_have_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("picture,x,y,width,height\na.jpg,600,0,100,9\na.jpg,5,5,0,9\na.jpg,5,5,-1,9\n")
    (tmp_path / "b.csv").write_text("picture,left,top,right,bottom\na.jpg,600,0,700,9\na.jpg,5,5,5,9\n")
    photo = localsr.read(np.zeros((480, 640), np.uint8))
    told = {}
    for name in ("a.csv", "b.csv"):
        refused = RegionRequest(read(tmp_path / name).of("a.jpg")).sift(photo)[1]
        told[name] = [one.error.told("command").partition(": ")[2] for one in refused]
    assert told["a.csv"] == [
        "box 600,0,100,9 leaves the picture, which is 640 x 480; cut off what leaves it with --clip",
        "box 5,5,0,9 has no area; width and height must be above 0",
        "box 5,5,-1,9 has no area; width and height must be above 0",
    ]
    assert told["b.csv"] == [
        "box (600, 0, 700, 9) leaves the picture, which is 640 x 480; cut off what leaves it with --clip",
        "box (5, 5, 5, 9) has no area; right must exceed left and bottom exceed top",
    ]
    with pytest.raises(BoxError, match="box 5,5,0,9 has no area; width and height must be above 0"):
        Box.from_xywh(5, 5, 0, 9)


def test_no_message_of_the_library_names_an_option() -> None:
    """Options stand in the command, or in the advice for it."""
    assert COMMANDS.search('raise BoxError(f"{self} leaves it; use --clip")')
    paths = [
        p for room in LIBRARY for p in ([SOURCES / room] if room.endswith(".py") else (SOURCES / room).rglob("*.py"))
    ]
    assert [path.name for path in paths if COMMANDS.search(path.read_text())] == []


@pytest.mark.parametrize(
    "error",
    [
        LocalSRError("a", Advice("b", "c", "d")),
        BoxError("has no area", BoxError.ORDERED, box="(1, 2, 3, 2)"),
        OutputError("no room"),
        StoppedError("stopped", 15),
        localsr.ServiceError("busy", 429),
    ],
)
def test_errors_travel_between_processes(error: LocalSRError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert [str(other), other.told("command"), other.told("service")] == [
            str(error),
            error.told("command"),
            error.told("service"),
        ]
        assert vars(other) == vars(error)


def test_a_folder_in_the_place_of_a_network(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        localsr.load(tmp_path)
    assert 'pass runtime="onnx"' in str(told.value)
    assert "add --runtime onnx" in told.value.told("command")
