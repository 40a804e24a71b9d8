"""Sizes and boxes: what is a region, what is refused, and what the small operations promise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localsr.errors import BoxError
from localsr.geometry import Box, Size, tiles, whole

SIZE = Size(640, 480)
sides = st.integers(-50, 50)
lengths = st.integers(1, 60)
boxes = st.builds(Box.from_xywh, sides, sides, lengths, lengths)


@pytest.mark.parametrize("bad", [1.0, "1", None, True, float("nan")])
def test_a_side_is_a_whole_number(bad: object) -> None:
    """Not a float, not a text, not a truth value."""
    with pytest.raises(BoxError, match="whole numbers"):
        Box(0, 0, 5, bad)  # type: ignore[arg-type]


def test_checked_names_the_picture_and_the_way_out() -> None:
    """A box partly outside is refused, one inside comes back."""
    inside = Box(0, 0, 640, 480)
    assert inside.checked(SIZE) is inside
    with pytest.raises(BoxError, match=r"box \(40, 60, 900, 188\) leaves the picture, which is 640 x 480; clip it"):
        Box(40, 60, 900, 188).checked(SIZE)


@pytest.mark.parametrize("box", [Box(640, 0, 641, 5), Box(-5, 0, 0, 5), Box(0, 480, 5, 490), Box(0, -9, 5, 0)])
def test_clipped_refuses_what_lies_outside(box: Box) -> None:
    """A box that only touches the border holds no pixel."""
    with pytest.raises(BoxError, match="lies outside the picture, which is 640 x 480"):
        box.clipped(SIZE)


@given(boxes, st.integers(0, 20))
def test_grow_adds_the_margin_on_all_sides(box: Box, margin: int) -> None:
    """The old box lies in the middle of the new one."""
    grown = box.grow(margin)
    assert grown.size == Size(box.width + 2 * margin, box.height + 2 * margin)
    assert box.within(grown) == Box.from_xywh(margin, margin, box.width, box.height)


@given(boxes, lengths, lengths)
def test_clipped_is_the_common_part(box: Box, width: int, height: int) -> None:
    """Exactly the pixels of both, or an error when there are none."""
    size = Size(width, height)
    common = [(x, y) for x in range(width) for y in range(height) if box.contains(Box(x, y, x + 1, y + 1))]
    if not common:
        with pytest.raises(BoxError):
            box.clipped(size)
        return
    clipped = box.clipped(size)
    assert clipped.checked(size) == clipped
    assert (clipped.left, clipped.top) == common[0]
    assert clipped.width * clipped.height == len(common)


@given(boxes, boxes)
def test_within_is_undone_by_shifted(box: Box, outer: Box) -> None:
    """Only the origin changes."""
    assert box.within(outer).size == box.size
    assert box.within(outer).shifted(outer.left, outer.top) == box


@given(boxes, st.integers(1, 40))
def test_tiles_cover_every_pixel_once(box: Box, side: int) -> None:
    """In order, inside the box, none larger than asked."""
    found = tiles(box, side)
    pixels = [(y, x) for t in found for y in range(t.top, t.bottom) for x in range(t.left, t.right)]
    assert len(pixels) == len(set(pixels)) == box.width * box.height
    assert all(box.contains(t) and max(t.width, t.height) <= side for t in found)
    assert found == sorted(found, key=lambda t: (t.top, t.left))


def test_whole_rows_and_columns() -> None:
    """The slices cut what the box means."""
    assert whole(SIZE).size == SIZE
    assert (Box(1, 2, 3, 5).rows, Box(1, 2, 3, 5).columns) == (slice(2, 5), slice(1, 3))
    assert Box(1, 2, 3, 5).scaled(4) == Box(4, 8, 12, 20)
