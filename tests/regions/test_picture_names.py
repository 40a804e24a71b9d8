"""Names that mean one picture: what other systems and tools make of them."""

import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localsr.errors import BoxError
from localsr.regions import Annotations, Region, read
from localsr.regions.names import fold, locate

ONE = (Region(0, 0, 1, 1),)
WORDS = st.text(st.characters(categories=("L", "N"), include_characters=" ()#&+-_"), min_size=1, max_size=12)


@settings(deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
@given(word=WORDS.map(str.strip).filter(bool))
def test_names_of_one_picture_are_matched(word: str) -> None:
    """Each way that a system writes a name: composed, decomposed, percent-encoded, a URL, backslashes, capitals."""
    picture = f"/data/pics/{word}.jpg"
    for written in (
        unicodedata.normalize("NFC", picture),
        unicodedata.normalize("NFD", picture),
        quote(unicodedata.normalize("NFC", picture)),
        f"file://{quote(picture)}",
        f"file://localhost{quote(picture)}",
        picture.replace("/", "\\"),
        f"pics/{word}.JPG",
        f"upload/4/{word}.jpg",
        f"pics/{word}.jpg ",
        f"https://images.test/pics/{quote(word)}.jpg?sig=a%2Fb#1",
        f"D:\\other\\place\\{word}.jpg",
        f"images/0123abcd-{word}.jpg",
        f"data/local-files/?d={quote(f'pics/{word}.jpg')}",
        f"pics/{word.replace(' ', '+')}.jpg",
        f"pics/{word.replace('&', '&amp;')}.jpg",
        f"pics/{word}.jpg?size=large&v=1",
    ):
        assert Annotations({written: ONE, "other.jpg": ()}, "x.json").of(picture) == ONE, written


def test_a_name_that_is_the_same_comes_before_one_that_means_the_same() -> None:
    found = Annotations({"a b.jpg": ONE, "a%20b.jpg": ONE * 2, "x.JPG": ONE, "X%2ejpg": ()}, "x.json")
    assert (len(found.of("a b.jpg")), len(found.of("a%20b.jpg"))) == (1, 2)
    with pytest.raises(BoxError, match="fits each"):
        Annotations({"c%20d.jpg": ONE, "c d.JPG": ONE}, "x.json").of("c d.jpg")
    assert Annotations({"train/a.JPG": ONE}, "x.json").of("/data/val/a.jpg") == ()


def test_a_whole_path_of_another_machine_counts_as_far_as_it_is_the_same() -> None:
    """Data sets that were moved; where two names end alike the longer end counts."""
    found = Annotations({"/mnt/train/a.jpg": ONE, "/mnt/val/a.jpg": ONE * 2, "C:\\x\\B.JPG": ONE * 3}, "x.json")
    assert [len(found.of(f"/data/{name}")) for name in ("train/a.jpg", "val/a.jpg", "y/b.jpg")] == [1, 2, 3]
    with pytest.raises(BoxError, match="fits each"):
        found.of("/data/test/a.jpg")
    assert Annotations({"/data/train/a.jpg": ONE}, "x.json").of("/data/val/a.jpg") == ()


@pytest.mark.parametrize("suffix", [".avif", ".gif", ".webp", ".jfif"])
def test_labels_answer_to_pictures_of_every_format(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1")
    assert len(read(tmp_path).of(f"/data/a{suffix.upper()}")) == 1


def test_a_file_is_located_where_it_is_the_only_one(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Stra\u00dfe \u00e9.JPG")
    (tmp_path / "pics").mkdir()
    path = tmp_path / "pics" / name
    path.write_bytes(b"")
    for written in (
        f"pics/{name}",
        "pics\\Stra\u00dfe \u00e9.jpg",
        quote("pics/Stra\u00dfe \u00e9.jpg"),
        path.as_uri(),
    ):
        assert locate(str(tmp_path), written) == str(path)
    (tmp_path / "pics" / fold(name)).write_bytes(b"")
    (tmp_path / "pics" / unicodedata.normalize("NFD", fold(name))).write_bytes(b"")
    assert locate(str(tmp_path), "pics/Stra%C3%9Fe%20%C3%A9.Jpg") == str(tmp_path / "pics" / fold(name))
    assert locate(str(tmp_path), "pics/gone.jpg") == ""


@pytest.mark.parametrize(
    "stray", ["._a.txt", "notes.json", "README.dataset.txt", "@eaDir/a.txt", ".cache/b.txt", "autosplit_train.txt"]
)
def test_strays_among_labels_are_passed_over(tmp_path: Path, stray: str) -> None:
    """What systems and tools leave beside labels is no file of regions; labels/ answers to images/."""
    (tmp_path / "labels" / stray).parent.mkdir(parents=True)
    (tmp_path / "labels/a.txt").write_text("0 .5 .5 .1 .1")
    (tmp_path / "labels" / stray).write_bytes(b"\0\5\x16\7 no labels")
    found = read(tmp_path)
    assert (found.names, found.broken) == (["labels/a"], {})
    assert len(found.of(tmp_path / "images/a.jpg")) == 1


def test_a_file_answers_for_its_picture_where_that_was_renamed(tmp_path: Path) -> None:
    """Of names that mean one picture: LabelMe's and VOC's files keep the name that a picture had when it was drawn."""
    shapes = '{"shapes": [{"points": [[8, 8], [24, 24]]}], "imagePath": "%s"}'
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.json").write_text(shapes % "IMG_1.jpg")
    (labels / "c.json").write_text(shapes % "b.jpg")
    found = read(labels)
    assert [len(found.of(f"/data/{name}")) for name in ("a.jpg", "IMG_1.jpg", "b.jpg", "IMG_2.jpg")] == [1, 1, 1, 0]
    assert len(read(labels / "a.json").of("/data/a.png")) == 1
    (labels / "b.json").write_text(shapes % "d.jpg")  # b.jpg is named by c.json
    assert read(labels).match("/data/b.jpg") == "b.jpg"
