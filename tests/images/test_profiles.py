"""ICC profiles: irregular ones are set right, what is none is left out, colours told otherwise get an equal one."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from localsr import images
from localsr.errors import ConfigError
from localsr.geometry import whole
from localsr.images import profiles, tags, told_colours
from localsr.images.vips import from_array, with_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FORMATS = ("png", "jpg", "tif", "webp", "avif")


def chunk(name: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG; the sum over it is the reader's to check."""
    import zlib

    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes, pixels: np.ndarray = COLOURS) -> bytes:
    """Encode a PNG with chunks behind its header."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def jpeg(**options: object) -> bytes:
    """Encode a JPEG."""
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def embedded(path: Path) -> bytes:
    """Return the profile in a file as Pillow sees it."""
    with Image.open(path) as picture:
        return picture.info.get("icc_profile") or b""


def shown(pixels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Return 8-bit colours as sRGB, by littlecms."""
    if not profile:
        return pixels.astype(int)
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    changed = ImageCms.profileToProfile(Image.fromarray(pixels), source, target, renderingIntent=intent)
    return np.asarray(changed).astype(int)


def edited(place: int, new: bytes, profile: bytes = SRGB) -> bytes:
    """Return a profile with some of its bytes replaced."""
    return profile[:place] + new + profile[place + len(new) :]


def misaligned() -> bytes:
    """Return a profile whose tags begin at odd places."""
    count = struct.unpack_from(">I", SRGB, 128)[0]
    table, body, start = struct.pack(">I", count), b"\0", 132 + 12 * count
    for n in range(count):
        name, place, length = struct.unpack_from(">4sII", SRGB, 132 + 12 * n)
        body += b"\0" * ((start + len(body)) % 2 == 0)
        table += struct.pack(">4sII", name, start + len(body), length)
        body += SRGB[place : place + length]
    return edited(0, struct.pack(">I", start + len(body)), SRGB[:128] + table + body)


IRREGULAR = {
    "misaligned": misaligned(),
    "size": edited(0, struct.pack(">I", len(SRGB) + 9)),
    "tail": SRGB + b"\0",
    "illuminant": edited(68, struct.pack(">3i", 0xF333, 0x10000, 0x116C9)),
    "intent": edited(64, b"\1\0\0\0"),
    "version": edited(8, bytes(4)),
    "class": edited(12, b"abst"),
    "link": edited(12, b"link"),
    "connection": edited(20, b"Lab "),
    "signature": edited(36, b"    "),
    "space": edited(16, b"????"),
}
UNUSABLE = {
    "cut": SRGB[:300],
    "text": b"not a profile" * 20,
    "short": SRGB[:100],
    "grey": profiles.made(profiles.SRGB._replace(curve=(2.0,)), 1),
    "many": edited(128, b"\xff\xff\xff\xff", SRGB[:200]),
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregular_profile_is_set_right_and_written(name: str, suffix: str, tmp_path: Path) -> None:
    """Family: profiles that a decoder shrugs at and libpng refuses, with the whole picture."""
    photo = images.read(jpeg(icc_profile=IRREGULAR[name]))
    path = tmp_path / f"out.{suffix}"
    images.write(path, photo.window(whole(photo.size)), None, photo, images.Provenance())
    profile = embedded(path)
    assert profiles.sound(profile, 3) == profile
    assert np.abs(shown(COLOURS, profile) - shown(COLOURS, SRGB)).max() <= 1
    assert images.left_out(path, photo, images.Provenance()) == ()


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_profile_that_is_none_is_left_out_and_said(name: str, tmp_path: Path) -> None:
    """Family: profiles that are cut, of another number of bands, or no profile at all."""
    photo = images.read(jpeg(icc_profile=UNUSABLE[name]))
    assert photo.profile is None
    images.write(tmp_path / "out.png", photo.window(whole(photo.size)), None, photo, images.Provenance())
    assert embedded(tmp_path / "out.png") == b""
    (note,) = images.left_out("out.png", photo, images.Provenance())
    assert note == "the photo's colour profile is damaged or not one for its bands, and is left out"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SRGB) - 1), st.binary(min_size=1, max_size=8), st.integers(0, 40))
def test_whatever_goes_for_a_profile_is_regular_or_none(place: int, new: bytes, cut: int) -> None:
    """Any damage: what comes of it is a profile that libpng and littlecms take, or none."""
    damaged = edited(place, new)[: len(SRGB) - cut if cut > 20 else None]
    profile = profiles.sound(damaged, 3)
    if profile is not None:
        assert profiles.sound(profile, 3) == profile
        photo = images.read(jpeg(icc_profile=damaged))
        data = from_array(COLOURS, "srgb")
        assert photo.profile == profile
        assert with_profile(data, profile).pngsave_buffer(keep="icc")


P3_CICP = chunk(b"cICP", bytes([12, 13, 0, 1]))
P3_CHRM = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
GAMMA = chunk(b"gAMA", struct.pack(">I", 45455))


def adobe_exif(space: int = 0xFFFF, index: bytes = b"R03\0") -> bytes:
    """Make a block of EXIF that tells Adobe RGB as DCF has it."""
    interop: tags.Ifd = {1: tags.Tag(tags.ASCII, 4, index)}
    exif: tags.Ifd = {0xA001: tags.integer_tag(space, ">", tags.SHORT), tags.INTEROP_IFD: interop}
    return b"MM\0*\0\0\0\x08" + tags.laid_out({tags.EXIF_IFD: exif}, 8, ">")


def avif(primaries: int, transfer: int) -> bytes:
    """Encode an AVIF, all but lossless, whose code points tell its colours."""
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


TOLD = {
    "avif-p3": (avif(12, 13), profiles.coded(12, 13)),
    "avif-2020": (avif(9, 1), profiles.coded(9, 1)),
    "cicp-p3": (png(P3_CICP), profiles.coded(12, 13)),
    "cicp-2020": (png(chunk(b"cICP", bytes([9, 14, 0, 1]))), profiles.coded(9, 14)),
    "cicp-over-icc": (png(P3_CICP, chunk(b"sRGB", b"\0")), profiles.coded(12, 13)),
    "chrm": (png(GAMMA, P3_CHRM), profiles.coded(12, 13)),
    "gamma": (png(chunk(b"gAMA", struct.pack(">I", 100_000))), profiles.SRGB._replace(curve=(1.0,))),
    "adobe-jpeg": (jpeg(exif=b"Exif\0\0" + adobe_exif()), profiles.ADOBE_RGB),
    "adobe-code": (jpeg(exif=b"Exif\0\0" + adobe_exif(2, b"R98\0")), profiles.ADOBE_RGB),
    "adobe-png": (png(chunk(b"eXIf", adobe_exif())), profiles.ADOBE_RGB),
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", TOLD)
def test_colours_told_without_a_profile_go_on(name: str, suffix: str, tmp_path: Path) -> None:
    """Family: P3, BT.2020, a gamma and Adobe RGB by cICP, gAMA and cHRM, AVIF's code points, or EXIF.

    A region would turn dull.
    """
    data, colours = TOLD[name]
    photo = images.read(data)
    path = tmp_path / f"out.{suffix}"
    images.write(path, photo.window(whole(photo.size)), None, photo, images.Provenance())
    assert colours is not None
    assert embedded(path) == photo.profile == profiles.made(colours, 3)
    difference = np.abs(photo.preview(32).astype(int) - COLOURS)
    assert difference.max() > 8  # a screen shows other colours than the levels alone would be


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (GAMMA,),
        (chunk(b"sRGB", b"\0"), P3_CHRM),
        (chunk(b"cICP", bytes([1, 13, 0, 1])),),
        (chunk(b"cICP", b"\2\2\0\1"),),
    ],
)
def test_srgb_gets_no_profile(chunks: tuple[bytes, ...]) -> None:
    """Family: what tells sRGB, by whatever chunks."""
    photo = images.read(png(*chunks))
    assert photo.profile is None
    assert np.array_equal(photo.preview(32), COLOURS)


@pytest.mark.parametrize("code", [(1, 13), (1, 1), (1, 6), (2, 2), (2, 13), (300, 13)])
def test_an_avif_of_srgb_gets_no_profile(code: tuple[int, int]) -> None:
    """Family: what tells sRGB, or nothing; ffmpeg's encoders write BT.709 for any picture."""
    assert images.read(avif(*code)).profile is None


def test_an_avif_of_pq_goes_on_in_a_png_alone(tmp_path: Path) -> None:
    """Family: HDR by code points; its levels would be shown as sRGB's."""
    photo = images.read(avif(9, 16))
    pixels = photo.window(whole(photo.size))
    images.write(tmp_path / "a.png", pixels, None, photo, images.Provenance())
    assert images.read(tmp_path / "a.png").metadata.chunks == ((b"cICP", b"\x09\x10\0\1"),)
    with pytest.raises(ConfigError, match=r"PQ.*use \.png"):
        images.write(tmp_path / "a.avif", pixels, None, photo, images.Provenance())


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 400), new=st.binary(min_size=1, max_size=8), cut=st.integers(0, 500))
def test_damaged_boxes_of_an_avif_tell_no_colours_and_stop_nothing(place: int, new: bytes, cut: int) -> None:
    """Family: what strangers write where a file says how long its parts are."""
    data = avif(12, 13)
    data = (data[:place] + new + data[place + len(new) :])[: len(data) - cut]
    told_colours.avif_colours(lambda at, count: data[at : at + count])


def test_the_made_profiles_mean_the_right_colours() -> None:
    """P3's red and Adobe's green, computed from the standards' primaries by hand."""
    linear = np.array([1.2249, -0.0420, -0.0197])  # P3's (1, 0, 0) in linear sRGB
    assert linear[1] < 0  # out of sRGB's reach
    half = np.full((4, 4, 3), 128, np.uint8)
    for colours in (profiles.coded(12, 13), profiles.SRGB):
        assert colours is not None
        assert np.abs(shown(half, profiles.made(colours, 3)) - 128).max() <= 1  # grey stays grey, with sRGB's curve
    dim = np.zeros((4, 4, 3), np.uint8)
    dim[..., 1] = 255
    dim[..., 0] = 255
    yellow = shown(dim, profiles.made(profiles.ADOBE_RGB, 3))[0, 0]
    assert yellow[0] == 255
    assert yellow[1] >= 254
    p3 = np.full((4, 4, 3), (128, 100, 100), np.uint8)
    curve = lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)  # noqa: E731
    matrix = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])  # P3 to sRGB
    light = matrix @ curve(p3[0, 0] / 255)
    wanted = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(shown(p3, profiles.made(profiles.coded(12, 13), 3))[0, 0] - wanted).max() <= 1


def test_a_grey_picture_with_a_gamma_has_a_grey_profile(tmp_path: Path) -> None:
    photo = images.read(png(chunk(b"gAMA", struct.pack(">I", 100_000)), pixels=COLOURS[..., 0].copy()))
    images.write(tmp_path / "a.tif", photo.window(whole(photo.size)), None, photo, images.Provenance())
    assert photo.profile is not None
    assert photo.profile[16:20] == b"GRAY"
    assert images.read(tmp_path / "a.tif").profile == photo.profile
    for suffix in ("webp", "avif"):  # which hold no grey profile: the levels are changed
        images.write(tmp_path / f"a.{suffix}", photo.window(whole(photo.size)), None, photo, images.Provenance())
        again = images.read(tmp_path / f"a.{suffix}")
        assert again.profile is None
        assert (
            np.abs(again.preview(32).astype(int) - photo.preview(32)).mean() <= 2
        )  # lossy noise; dozens if told nothing


@pytest.mark.parametrize(("code", "word"), [((9, 16, 0, 1), "PQ"), ((9, 18, 0, 1), "HLG"), ((12, 13, 0, 0), "cICP")])
def test_what_no_profile_can_tell_goes_on_as_it_was_or_is_refused(
    code: tuple[int, ...], word: str, tmp_path: Path
) -> None:
    """Family: HDR by cICP: in a PNG the same chunk, in other formats a sentence."""
    photo = images.read(png(chunk(b"cICP", bytes(code)), chunk(b"mDCV", bytes(24))))
    pixels = photo.window(whole(photo.size))
    images.write(tmp_path / "a.png", pixels, None, photo, images.Provenance())
    again = images.read(tmp_path / "a.png")
    assert again.metadata.chunks == ((b"cICP", bytes(code)), (b"mDCV", bytes(24)))
    assert np.array_equal(again.window(whole(again.size)), pixels)
    for suffix in ("jpg", "tif", "webp", "avif", "bmp"):
        with pytest.raises(ConfigError, match=rf"{word}.*use \.png"):
            images.write(tmp_path / f"a.{suffix}", pixels, None, photo, images.Provenance())


POINTS = st.tuples(st.floats(0.01, 0.8), st.floats(0.01, 0.8))


@settings(max_examples=60, deadline=None)
@given(st.tuples(POINTS, POINTS, POINTS, POINTS), st.floats(0.1, 5))
def test_any_chromaticities_make_a_sound_profile_or_none(points: tuple[profiles.Point, ...], gamma: float) -> None:
    profile = profiles.made(profiles.Colours(*points, (gamma,)), 3)
    assert profile is None or len(profile) % 4 == 0
    if profile is not None and profiles.sound(profile, 3) is not None:
        assert profiles.sound(profile, 3) == profile
