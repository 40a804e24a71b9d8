"""The bytes of a graph before anything is made of them: a gigabyte may be 500 million operators of two bytes each.

What is made of a part takes a hundred times its bytes, but for the numbers of weights. So parts are counted, and the
bytes that are no such numbers, by the fields of onnx.proto alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

MAX_PARTS = 400_000  # of a network of windows of 10,000 operators 150,000; so many are counted in a quarter of a second
MAX_OTHER_BYTES = 2**25  # beside the weights; a trace of what made each operator, which some exporters keep, has 2**23
VARINT, EIGHT_BYTES, PART, FOUR_BYTES = 0, 1, 2, 5  # how a field is written

Fields: TypeAlias = Mapping[int, "Fields | None"]  # by their numbers: what lies in them, None for numbers of weights
TENSOR: Fields = {4: None, 9: None}  # float_data, raw_data
MODEL: Fields = {7: {1: {5: {5: TENSOR}}, 5: TENSOR}}  # graph: node: attribute: t; graph: initializer


def check_parts(data: bytes) -> None:
    """Raise `ValueError` for a graph of too many parts, or one that is not written as graphs are."""
    counter = _Counter()
    counter.read(memoryview(data), MODEL)
    if counter.other > MAX_OTHER_BYTES:
        raise ValueError(f"it has {counter.other} bytes beside its weights; a network has at most {MAX_OTHER_BYTES}")


class _Counter:
    """Counts parts and the bytes that are no weights."""

    def __init__(self) -> None:
        self.parts = self.other = 0

    def read(self, data: memoryview, fields: Fields) -> None:
        """Count a message, of whose parts `fields` are looked into."""
        at, end = 0, len(data)
        self.other += end
        while at < end:
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise ValueError(f"it has more than {MAX_PARTS} parts, which no network has")
            key, at = _varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                _, at = _varint(data, at)
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                at += 8 if kind == EIGHT_BYTES else 4
            elif kind == PART:
                length, at = _varint(data, at)
                if length > end - at:
                    raise ValueError("it is cut short")
                if number in fields:
                    self.other -= length
                    inner = fields[number]
                    if inner is not None:
                        self.read(data[at : at + length], inner)
                at += length
            else:
                raise ValueError("it is no graph")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("it is cut short")
