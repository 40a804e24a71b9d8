"""Graphs are counted before they are parsed."""

from pathlib import Path

import pytest
from toy_graphs import graph

from localsr.errors import CheckpointError
from localsr.onnx.folder import check_graph
from localsr.onnx.wire import MAX_OTHER_BYTES, check_parts


def part(number: int, body: bytes) -> bytes:
    """A field of protobuf: its number, its length and its bytes."""
    length = len(body)
    written = bytes([number << 3 | 2])
    while length > 127:
        written, length = written + bytes([length & 127 | 128]), length >> 7
    return written + bytes([length]) + body


HOSTILE = {
    "more than 400000 parts": part(7, b"\x0a\x00" * 2**25),  # operators
    "400000 parts, which": part(7, part(1, b"\x2a\x00" * 2**25)),  # of one operator, what says how
    "beside its weights": part(7, part(13, part(2, b"\0" * (MAX_OTHER_BYTES + 1)))),  # a type
    "cut short": part(7, part(1, b"\x0a\x05a")),
    "no graph": b"<!DOCTYPE html>",
}


@pytest.mark.parametrize("words", HOSTILE)
def test_a_graph_of_many_parts_is_refused_before_it_is_parsed(words: str) -> None:
    with pytest.raises(CheckpointError, match=f"is not read: .*{words}"):
        check_graph(Path("hostile.onnx"), HOSTILE[words])


def test_weights_are_no_parts(tmp_path: Path) -> None:
    check_parts(graph(tmp_path / "toy.onnx").read_bytes())
    check_parts(part(7, part(5, part(9, b"\0" * (2 * MAX_OTHER_BYTES)))))
