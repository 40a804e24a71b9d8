"""Names of results follow from what they are made of, and stay what they were."""

from dataclasses import replace

import pytest

import localsr
from localsr.batch.tasks import Setup, Task
from localsr.errors import ConfigError
from localsr.geometry import Box, Size
from localsr.regions import Found, Margin, Region, RegionRequest, text


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("{stem}.png", "must have {key}"),
        ("{key:.2}.png", "must have {key}"),
        ("{key}", "ends in"),
        ("../{key}.png", "within OUT"),
        ("/{key}.png", "within OUT"),
        ("{key}{key.real}.png", "has {key.real}"),
        ("{key}{nonsense}.png", "has {nonsense}"),
        ("{key.png", "is none"),
    ],
)
def test_a_layout_that_cannot_be(layout, told) -> None:
    with pytest.raises(ConfigError, match=told):
        Setup("out", layout)


def test_a_name_follows_from_picture_region_network_and_options(many, setup) -> None:
    setup = replace(setup, layout="{folder}/{label}/{stem}-{n}-{key}.jpg")
    found = many[2].request.find(localsr.read(many[2].picture))
    names = setup.output_names("/x/../holiday photos/a b*.jpg", "content", found)
    assert [name.rsplit("-", 1)[0] for name in names] == [f"holiday_photos/region/a_b-{n}" for n in (1, 2, 3)]

    def key(setup=setup, content="content", found=found):
        return setup.output_names("a.jpg", content, found[:1])[0][-20:-4]

    others = [
        key(content="other"),
        key(found=found[1:]),
        *(
            key(replace(setup, **one))
            for one in (
                {"sha256": "0"},
                {"strategy": "halo"},
                {"scale": 2},
                {"size": "90x"},
                {"precision": "bf16"},
                {"runtime": "onnx"},
            )
        ),
    ]
    assert len({key(), *others}) == len(others) + 1
    assert key() == key(replace(setup, folder="elsewhere", device="cuda", max_memory=5))


def test_no_word_from_outside_leaves_the_folder(setup) -> None:
    setup = replace(setup, layout="{folder}/{label}/{stem}-{key}.png")
    found = [Found(Box(0, 0, 1, 1), "../../etc/\0passwd")]
    (name,) = setup.output_names("/../..png", "content", found)
    assert ".." not in name.split("/")
    assert name.startswith("folder/etc_passwd/")
    (long,) = setup.output_names(f"/a/{'ä' * 500}.png", "content", found)
    assert max(len(part.encode()) for part in long.split("/")) < 255


def test_folders_of_earlier_versions_are_gone_on_with() -> None:
    """Digests and names as the first version made them: a rerun finds its rows and results by them."""
    given = (
        text("40,60,128,96"),
        text("10%,10%,50%,50%", "m.csv, line 2"),
        Region(1, 2, 3.5, 4, False, "sign", 0.5, "a.json, shapes[0]", Size(64, 48)),
    )
    asked = RegionRequest(given, ("face", "a.onnx"), Margin.parse("10%"), 0.25, 8, True, True)
    setup = Setup("out", sha256="ab" * 32, name="tiny", detectors=(("a.onnx", "cd" * 32),))
    assert setup.digest(Task("/data/a.jpg", asked)) == "9387c93d75834e38"
    found = [Found(Box(40, 60, 168, 156), "sign", 0.5)]
    assert setup.output_names("/data/a.jpg", "ef" * 32, found) == ["a-40-60-128x96-x4-3d619a1d057c87ca.png"]
