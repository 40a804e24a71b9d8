"""What goes along with a result: resolution, the camera's data as far as it is still true, and where it comes from."""

import hashlib
import io
import struct
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin, JpegImagePlugin

import localsr
from localsr import images
from localsr.errors import ConfigError
from localsr.geometry import Box, whole
from localsr.images import Provenance, Saving, carried, tags, xmp

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
MADE = Provenance("net", "ab" * 32, "cd" * 32, (Box(1, 2, 17, 14),), 4, "clsr", told=(3.25, -0.125, 25.0))
WHOLE = Provenance("net", "ab" * 32, "cd" * 32, (Box(1, 2, 17, 14),), 4, "clsr", whole=True, same_size=True)
PLAIN = Saving()
HOLDERS = ("png", "jpg", "tif", "webp", "avif")  # formats that hold metadata
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
    'xmlns:note="http://ns.adobe.com/xmp/note/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmp:Rating="4" tiff:Orientation="6" tiff:Make="Maker" hdrgm:Version="1.0" GCamera:MotionPhoto="1" '
    'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="4000" note:HasExtendedXMP="ABC" exif:PixelXDimension="9" {}>'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A &amp; &lt;B&gt; ü</rdf:li></rdf:Alt></dc:title>'
    "<xmp:Thumbnails>AAAA</xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def camera_exif(order: str = ">", **more: tags.Ifd) -> bytes:
    """Make EXIF as a camera writes it: on its side, with a thumbnail, a maker's note, a place, and sizes."""
    exif: tags.Ifd = {
        0x829A: tags.ratio_tag(0.01, order),  # time of exposure
        0x9003: tags.text_tag("2024:05:06 07:08:09"),
        0x927C: tags.Tag(tags.UNDEFINED, 300, b"note" * 75),
        0xA002: tags.integer_tag(4000, order),
        0xA003: tags.integer_tag(3000, order),
        0x9214: tags.Tag(tags.SHORT, 2, bytes(4)),
        0xA405: tags.integer_tag(28, order, tags.SHORT),
    }
    ifd: tags.Ifd = {
        0x010F: tags.text_tag("Maker"),
        0x0112: tags.integer_tag(6, order, tags.SHORT),
        0x0100: tags.integer_tag(4000, order),
        0x011A: tags.ratio_tag(300, order),
        0x011B: tags.ratio_tag(150, order),
        0x0128: tags.integer_tag(2, order, tags.SHORT),
        tags.EXIF_IFD: exif,
        tags.GPS_IFD: {
            1: tags.text_tag("N"),
            2: tags.Tag(tags.RATIONAL, 3, struct.pack(order + "6I", 48, 1, 8, 1, 0, 1)),
        },
    } | more
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + tags.laid_out(ifd, 8, order)


def source(suffix: str, **options: object) -> images.Photo:
    """Read a picture of a format."""
    file = io.BytesIO()
    if suffix == "jpg" and "exif" in options:
        options["exif"] = b"Exif\0\0" + options["exif"]  # type: ignore[operator]
    Image.fromarray(NOISE).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return images.read(file.getvalue())


def written(path: Path, photo: images.Photo, made: Provenance | None = MADE, saving: Saving = PLAIN) -> Image.Image:
    """Write a photo's pixels, four times as large, and open the file with Pillow."""
    pixels = photo.window(whole(photo.size)).repeat(4, 1).repeat(4, 2)
    images.write(path, pixels, None, photo, made, saving)
    with Image.open(path) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("suffix", [*HOLDERS, "bmp"])
@pytest.mark.parametrize("given_by", ["jpg", "png", "tif", "bmp"])
def test_the_resolution_of_a_region_is_the_photos_times_the_scale(given_by: str, suffix: str, tmp_path: Path) -> None:
    """Family: JFIF, EXIF, pHYs and TIFF tags as unit and number; none where the photo has none."""
    picture = written(tmp_path / f"a.{suffix}", source(given_by, dpi=(300, 300)))
    told = picture.info.get("dpi") or (picture.getexif()[0x011A], picture.getexif()[0x011B])
    assert [round(float(value)) for value in told] == [1200, 1200]
    bare = written(tmp_path / f"b.{suffix}", images.read(NOISE) if given_by == "bmp" else source(given_by))
    assert bare.info.get("dpi", (1, 1)) == (1, 1)  # Pillow's word for a TIFF that does not say
    assert bare.getexif().get(0x011A) in (None, 72)  # libheif's word for an AVIF that does not say


def test_a_resolution_in_centimetres_stays_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "TIFF", resolution=118, resolution_unit=3)
    photo = images.read(file.getvalue())
    assert photo.metadata.density == (118, 118, "cm")
    written(tmp_path / "a.tif", photo)
    assert images.read(tmp_path / "a.tif").metadata.density == (472, 472, "cm")
    assert written(tmp_path / "a.jpg", photo).info["jfif_unit"] == 2


def test_a_turned_photo_turns_its_resolution(tmp_path: Path) -> None:
    picture = written(tmp_path / "a.jpg", source("webp", exif=camera_exif(), lossless=True))
    assert picture.info["dpi"] == (600, 1200)


@pytest.mark.parametrize("suffix", HOLDERS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("given_by", ["jpg", "png", "webp", "tif"])
def test_camera_data_goes_on_as_far_as_it_is_true(given_by: str, order: str, suffix: str, tmp_path: Path) -> None:
    """Family: EXIF between all formats and byte orders; no thumbnail, no maker's note, sizes and orientation right."""
    if given_by == "tif":
        file = tmp_path / "in.tif"
        written(file, source("jpg", exif=camera_exif(order)))
        photo = images.read(file)
    else:
        photo = source(given_by, exif=camera_exif(order))
    picture = written(tmp_path / f"a.{suffix}", photo)
    exif, found = picture.getexif(), picture.getexif().get_ifd(0x8769)
    width, height = picture.size
    assert (exif[0x010F], exif.get(0x0112), exif[0x0131]) == ("Maker", 1, f"localsr {localsr.__version__}")
    assert (found[0x9003], float(found[0x829A])) == ("2024:05:06 07:08:09", 0.01)
    assert (found[0xA002], found[0xA003]) == (width, height)
    assert not {0x927C, 0x9214, 0xA405} & found.keys()
    assert exif.get_ifd(0x8825)[1] == "N"
    assert exif.get_ifd(1) == {}  # the thumbnail's
    bare = written(tmp_path / f"b.{suffix}", photo, saving=Saving(metadata=False, provenance=False))
    assert not {0x010F, 0x0131, 0x8825} & dict(bare.getexif()).keys()


def test_the_whole_picture_keeps_its_angle_of_view(tmp_path: Path) -> None:
    picture = written(tmp_path / "a.jpg", source("jpg", exif=camera_exif()), WHOLE)
    assert picture.getexif().get_ifd(0x8769)[0xA405] == 28
    assert picture.info["dpi"] == (150, 300)


@pytest.mark.parametrize("suffix", HOLDERS)
def test_xmp_goes_on_without_what_lies_elsewhere(suffix: str, tmp_path: Path) -> None:
    """Family: entries of gain maps, motion photos, extended XMP, thumbnails and sizes, which are no longer true."""
    photo = source("png", pnginfo=_with_xmp(XMP.format("")))
    written(tmp_path / f"a.{suffix}", photo)
    packet = _packet(tmp_path / f"a.{suffix}")
    text = packet.decode()
    for word in ("hdrgm", "GCamera", "MicroVideo", "MotionPhoto", "Extended", "Thumbnails", "Orientation", "PixelX"):
        assert word not in text
    ElementTree.fromstring(text.strip("\ufeff"))
    for word in ('xmp:Rating="4"', 'tiff:Make="Maker"', "A &amp; &lt;B&gt; ü", 'xml:lang="x-default"'):
        assert word in text
    assert xmp.made_by(packet) == MADE


def _with_xmp(text: str) -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", text)
    return info


def _packet(path: Path) -> bytes:
    """Return a file's XMP as Pillow sees it."""
    with Image.open(path) as picture:
        found = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or picture.getexif().get(700) or b""
    return found.encode() if isinstance(found, str) else bytes(found)


@pytest.mark.parametrize("suffix", HOLDERS)
def test_a_result_says_where_it_comes_from(suffix: str, tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(NOISE).save(data, "PNG")
    photo = images.read(data.getvalue())
    made = Provenance("net", "ab" * 32, photo.sha256(), (Box(1, 2, 17, 14),), 4, "clsr")
    assert made.source_sha256 == hashlib.sha256(data.getvalue()).hexdigest()
    picture = written(tmp_path / f"a.{suffix}", photo, made)
    packet = _packet(tmp_path / f"a.{suffix}").decode()
    for word in (made.source_sha256, made.network_sha256, 'localsr:Boxes="1,2,17,14"', 'localsr:Scale="4"'):
        assert word in packet
    term = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
    assert f'Iptc4xmpExt:DigitalSourceType="{term}"' in packet
    if suffix == "png":
        assert picture.info["Software"] == f"localsr {localsr.__version__}"
        assert made.source_sha256 in picture.info["localsr"]
    if suffix != "avif":
        assert images.read(tmp_path / f"a.{suffix}").provenance == made
    again = (tmp_path / f"a.{suffix}").read_bytes()
    written(tmp_path / f"a.{suffix}", photo, made)
    assert (tmp_path / f"a.{suffix}").read_bytes() == again  # nothing of it is a time or a chance
    written(tmp_path / f"a.{suffix}", photo, made, Saving(provenance=False))
    assert b"localsr" not in (tmp_path / f"a.{suffix}").read_bytes()


def test_a_picture_made_from_nothing_stays_marked_as_one() -> None:
    """An upscaled synthetic picture is not passed off as a photo that was only enhanced."""
    mark = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    told = f'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{mark}"'
    packet = xmp.packet_for(XMP.format(told).encode(), MADE)
    assert xmp.properties(packet, xmp.EXT) == {"DigitalSourceType": mark}
    again = xmp.made_by(packet)
    assert again is not None
    assert again.network == "net"


@pytest.mark.parametrize(
    "inner",
    [
        "<a>" * 30_000 + "</a>" * 30_000,
        "".join(f'<a xmlns:b="urn:{n}" b:c="1"/>' for n in range(9000)),
        "<a/>" * 200_000,
    ],
)
def test_hostile_xmp_costs_neither_the_picture_nor_time(inner: str) -> None:
    """Family: XMP that is deep, of thousands of namespaces, or wide."""
    packet = XMP.format("").replace("A &amp;", inner).encode()
    made = xmp.made_by(xmp.packet_for(packet, MADE))
    assert made == MADE


def test_a_source_is_hashed_once_and_only_if_it_is_still_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(NOISE).save(path)
    first, second, third = (images.read(path) for _ in range(3))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert third.sha256(limit=10) == ""
    assert first.sha256() == found
    Image.fromarray(NOISE[::-1]).save(path)
    assert (first.sha256(), second.sha256()) == (found, "")
    path.unlink()
    assert third.sha256() == ""
    assert images.read(NOISE).sha256() == ""


@pytest.mark.parametrize("suffix", [*HOLDERS, "bmp"])
@pytest.mark.parametrize(
    ("block", "damage", "words"),
    [
        ("exif", lambda b: b[:60], "EXIF is damaged"),
        ("exif", lambda b: b"rubbish" * 9, "EXIF is damaged"),
        ("xmp", lambda b: b[: len(b) // 2], "XMP is damaged"),
        ("xmp", lambda b: b'<!DOCTYPE a [<!ENTITY b "c">]>' + b, "XMP is damaged"),
        ("iptc", lambda b: b[:20], "IPTC block is damaged"),
    ],
)
def test_damaged_blocks_cost_no_picture_and_are_told(
    block: str, damage: object, words: str, suffix: str, tmp_path: Path
) -> None:
    """Family: EXIF, XMP and IPTC that are cut, rubbish or hostile, into every format."""
    good = {"exif": camera_exif(), "xmp": XMP.format("").encode(), "iptc": _photoshop(_iim("a caption"))}[block]
    metadata = images.metadata.Metadata(**{block: damage(good)})  # type: ignore[operator]
    photo = images.read(NOISE)
    object.__setattr__(photo, "metadata", metadata)
    written(tmp_path / f"a.{suffix}", photo)
    assert any(words in note for note in images.left_out(f"a.{suffix}", photo, MADE))


def _iim(*captions: str) -> bytes:
    """Make IIM with captions and a preview."""
    texts = b"".join(b"\x1c\x02\x78" + struct.pack(">H", len(c.encode())) + c.encode() for c in captions)
    return b"\x1c\x01\x5a\0\x03\x1b%G" + texts + b"\x1c\x02\xca\0\x04jpeg"


def _photoshop(iim: bytes) -> bytes:
    """Make a block of Photoshop's resources: a thumbnail, then IIM."""
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 5) + b"thumb\0"
    return (
        b"Photoshop 3.0\0"
        + thumbnail
        + b"8BIM\x04\x04\0\0"
        + struct.pack(">I", len(iim))
        + iim
        + b"\0" * (len(iim) % 2)
    )


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_the_texts_of_iptc_go_on_without_previews(suffix: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "JPEG", extra=_app13(_photoshop(_iim("a caption"))))
    photo = images.read(file.getvalue())
    picture = written(tmp_path / f"a.{suffix}", photo)
    assert IptcImagePlugin.getiptcinfo(picture) == {(1, 90): b"\x1b%G", (2, 120): b"a caption"}
    assert images.left_out("a.png", photo, MADE) == ("the photo's IPTC texts are left out: a PNG holds none",)


def _app13(body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, 0xED, len(body) + 2) + body


def test_blocks_too_large_for_a_jpeg_are_left_out_and_told(tmp_path: Path) -> None:
    """Family: what a PNG, a TIFF or a WebP may hold, and a JPEG's segment of 64 KB may not."""
    long = XMP.format("").replace("A &amp;", "A" * 70_000)
    large: tags.Ifd = {0x010E: tags.text_tag("t" * 70_000)}
    head = b"II*\0" + struct.pack("<I", 8)
    for block, data in (("xmp", long.encode()), ("exif", head + tags.laid_out(large, 8, "<"))):
        photo = images.read(NOISE)
        object.__setattr__(photo, "metadata", images.metadata.Metadata(**{block: data}))
        written(tmp_path / "a.jpg", photo)
        assert images.read(tmp_path / "a.jpg").provenance == MADE
        assert "a JPEG holds 64 KB of it" in images.left_out("a.jpg", photo, MADE)[0]
        assert images.left_out("a.png", photo, MADE) == ()


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 75},
        {"quality": 92, "subsampling": 0},
        {"quality": 85, "subsampling": 1},
        {"quality": 90, "progressive": True},
        {"quality": 60, "keep_rgb": True},
    ],
)
def test_the_whole_picture_as_jpeg_again_has_its_own_tables(options: dict[str, object], tmp_path: Path) -> None:
    """Family: tables, subsampling, colour transform and scans of a JPEG; pixels move as by Pillow's own keeping."""
    file = io.BytesIO()
    Image.fromarray(NOISE.repeat(4, 0).repeat(4, 1)).save(file, "JPEG", **options)
    photo = images.read(file.getvalue())
    made = replace(WHOLE, same_size=False)
    images.write(tmp_path / "a.jpg", photo.window(whole(photo.size)), None, photo, made)
    with Image.open(file) as before, Image.open(tmp_path / "a.jpg") as after:
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)
        assert after.info.get("progressive") == before.info.get("progressive")
        kept = io.BytesIO()
        before.save(kept, "JPEG", quality="keep", keep_rgb="keep_rgb" in options)
        assert np.array_equal(np.asarray(after), np.asarray(Image.open(kept)))
    assert images.left_out("a.jpg", photo, made) == ()
    images.write(tmp_path / "b.jpg", photo.window(whole(photo.size)), None, photo, made, Saving(quality=20))
    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size


def test_tables_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(NOISE).convert("CMYK").save(file, "JPEG")
    photo = images.read(file.getvalue())
    made = Provenance(scale=4, whole=True)
    assert images.left_out("a.jpg", photo, made) == (
        "the photo's own JPEG tables could not be kept; the file is encoded with quality 95",
    )


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_quality_decides_the_size(suffix: str, tmp_path: Path) -> None:
    photo, sizes = images.read(NOISE), []
    for quality in (10, 60, 95):
        written(tmp_path / f"a.{suffix}", photo, saving=Saving(quality))
        sizes.append((tmp_path / f"a.{suffix}").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_a_quality_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 to 100"):
        Saving(0)
    for suffix in ("png", "tif", "bmp"):
        with pytest.raises(ConfigError, match="a quality is for jpeg, webp, avif"):
            written(tmp_path / f"a.{suffix}", images.read(NOISE), saving=Saving(80))
    assert list(tmp_path.iterdir()) == []


TAG = st.builds(
    lambda kind, values, seed: tags.Tag(kind, values, np.random.default_rng(seed).bytes(values * tags.SIZES[kind])),
    st.sampled_from([1, 2, 3, 4, 5, 7, 9, 10, 11, 12]),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
NUMBERS = st.integers(1, 0xFFFF).filter(lambda n: n not in tags.SUB_IFDS)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(NUMBERS, TAG, max_size=12),
    st.dictionaries(NUMBERS, TAG, min_size=1, max_size=8),
    st.sampled_from("<>"),
    st.booleans(),
)
def test_tags_round_trip_in_both_orders_and_widths(first: tags.Ifd, below: tags.Ifd, order: str, big: bool) -> None:
    ifd = first | {tags.EXIF_IFD: below}
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    data = head + tags.laid_out(ifd, len(head), order, big=big)
    found = tags.parse(lambda place, count: data[place : place + count])
    assert found == tags.TagBlock(order, ifd)
    other = ">" if order == "<" else "<"
    assert tags.in_order(tags.in_order(ifd, order, other), other, order) == ifd


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=6))
def test_no_block_of_exif_can_stop_a_result(rubbish: bytes, place: int, new: bytes) -> None:
    """Any bytes, and any damage to a camera's block: what is laid out again reads as it was laid out."""
    good = camera_exif()
    for exif in (rubbish, good[:place] + new + good[place + len(new) :], good[:place]):
        metadata = images.metadata.Metadata(exif=exif)
        blocks = carried.blocks_for(metadata, "jpeg", localsr.Size(9, 9), MADE, Saving())
        data = blocks.exif
        found = tags.parse(lambda at, count: data[at : at + count])  # noqa: B023
        assert (found.tags if found is not None else {}) == blocks.tags


@settings(max_examples=100, deadline=None)
@given(st.text(), st.binary(max_size=100), st.integers(0, 1400), st.sampled_from(["hdrgm", "q", "Iptc4xmpCore"]))
def test_xmp_round_trips_and_is_always_well_formed(title: str, rubbish: bytes, cut: int, prefix: str) -> None:
    attribute = f'xmlns:{prefix}2="urn:{prefix}" {prefix}2:a="1"'
    legal = "".join(c for c in title if c.isprintable() and c not in "<>&")
    whole_packet = XMP.format(attribute).replace("A &amp;", legal).encode(errors="replace")
    for packet in (whole_packet, whole_packet[:cut], rubbish, whole_packet[:cut] + rubbish):
        new = xmp.packet_for(packet, MADE)
        assert xmp.made_by(new) == MADE
        assert xmp.packet_for(new, MADE) == new
    assert legal in xmp.packet_for(whole_packet, None).decode()


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=20),
    st.lists(st.tuples(*[st.integers(0, 2**31)] * 4).filter(lambda s: s[0] < s[2] and s[1] < s[3]), max_size=5),
    st.integers(1, 8),
    st.booleans(),
)
def test_provenance_round_trips(name: str, boxes: list[tuple[int, int, int, int]], scale: int, is_whole: bool) -> None:
    name = "".join(filter(str.isprintable, name)).strip()
    made = Provenance(name, "", "ef" * 32, tuple(Box(*b) for b in boxes), scale, "halo", is_whole, precision="bf16")
    assert xmp.made_by(xmp.packet_for(b"", made)) == made


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 120), st.lists(st.text(max_size=30), max_size=4))
def test_iim_is_whole_or_nothing(rubbish: bytes, cut: int, captions: list[str]) -> None:
    iim = _iim(*captions)
    kept = iim[: iim.index(b"\x1c\x02\xca")]
    assert carried.iim_of(iim) == carried.iim_of(_photoshop(iim)) == kept
    for block in (rubbish, _photoshop(iim)[:cut], iim[:cut]):
        assert kept.startswith(carried.iim_of(block)) or block is rubbish
