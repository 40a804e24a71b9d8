"""Pages of one file as frames."""

import io

import clips
import pytest
from PIL import Image

import localsr
from localsr.errors import ConfigError, ImageError
from localsr.frames import pages
from localsr.geometry import whole


def book(kind: str, count: int = 5, **how: object) -> bytes:
    buffer = io.BytesIO()
    several = [Image.fromarray(pixels) for pixels in clips.numbered(count)]
    several[0].save(buffer, kind, save_all=True, append_images=several[1:], **how)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "how", "at"),
    [
        ("TIFF", {}, 2.5),
        ("GIF", {"duration": 100}, 0.25),
        ("PNG", {"duration": 100}, 0.25),
        ("WEBP", {"duration": 100, "lossless": True}, 0.25),
    ],
)
def test_pages_around_a_moment(kind: str, how: dict[str, object], at: float) -> None:
    frames = localsr.read_frames(book(kind, **how), at=at, count=3)
    box = whole(frames.reference.size)
    assert clips.number_of(frames.reference.window(box)) == 2
    shown = {frame.step: clips.number_of(frame.picture.window(box)) for frame in frames.others}
    assert shown == {-1: 1, 1: 3, -2: 0, 2: 4}
    assert frames.others[0].name == ("1.000 s" if kind == "TIFF" else "0.100 s")
    with pytest.raises(ConfigError, match="no page at 60 s"):
        localsr.read_frames(book(kind, **how), at=60)


def test_one_page_is_one_frame() -> None:
    assert localsr.read_frames(book("PNG", 1)).others == ()


def test_damaged_and_large_files_get_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(b"GIF89a" + bytes(20))
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(book("TIFF")[:2000])
    monkeypatch.setattr(pages, "MAX_PAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match="pages of 96 x 64 px"):
        localsr.read_frames(book("GIF"))
    monkeypatch.undo()
    monkeypatch.setattr(pages, "MAX_PAGES", 3)
    with pytest.raises(ImageError, match="more than 3 pages"):
        localsr.read_frames(book("TIFF"), at=4.5)
