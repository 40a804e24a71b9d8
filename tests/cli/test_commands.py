"""The command: what it writes, what it prints, how it fails."""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import clips
import numpy as np
import pytest
from networks import save_told
from PIL import Image
from typer.testing import CliRunner

import localsr
from localsr import images
from localsr.cli import app
from localsr.errors import ImageError, OutputError
from localsr.evaluation import paper
from localsr.geometry import Box, Enlargement
from localsr.inference import restorer
from localsr.inference.scene import Scene
from localsr.models import checkpoint, embedded
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig

PLAIN = ModelConfig(channels=8, stages=2, blocks=1, halo=(3, 2, 2))
CONTEXT = ModelConfig(
    channels=8, stages=2, blocks=1, halo=(3, 2, 2), gcm=True, pim=True, pim_channels=4, gcm_heads=2, gcm_patches=4
)


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """A folder with plain.safetensors and its CLSR network, context.safetensors."""
    folder = tmp_path_factory.mktemp("nets")
    plain = checkpoint.save(folder / "plain.safetensors", CLSR(PLAIN), checkpoint.Card("plain", PLAIN))
    card = checkpoint.Card(
        "context",
        CONTEXT,
        training={"steps": 1200},
        protocol={
            "bsd100": {"roi": 24, "strategies": {"clsr": {"psnr_y": 27.604}, "halo": {"psnr_y": 27.5}, "odd": 3}},
            "broken": 7,
        },
        plain={"name": "plain", "sha256": plain.sha256},
    )
    checkpoint.save(folder / "context.safetensors", CLSR(CONTEXT), card)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder but for photo.png, 40 x 30."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    images.write("photo.png", photo.transpose(2, 0, 1).astype(np.float32) / 255, None, images.read(photo))
    return tmp_path


def run(*args):
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert "Traceback" not in result.output
    return result


def restore(nets, *args, model="plain"):
    return run("restore", "photo.png", "--model", nets / f"{model}.safetensors", *args)


def fails(result, code, *words):
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("localsr: ")
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stdout == ""


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != "photo.png")


def test_one_box(nets, here):
    result = restore(nets, "--box", "4,5,12,8")
    assert result.exit_code == 0
    assert files(here) == ["photo-4-5-12x8-x4.png"]
    assert images.read("photo-4-5-12x8-x4.png").size == Box(0, 0, 48, 32).size
    assert result.stdout.startswith("photo-4-5-12x8-x4.png: 48 x 32 px, halo, ")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("out", ["out/photo-0-0-8x8-x4.png", "out/photo-30-20-10x10-x4.png"]),
        ("new/part{n}.webp", ["new/part1.webp", "new/part2.webp"]),
    ],
)
def test_two_boxes(nets, here, output, expected):
    result = restore(nets, "--box", "0,0,8,8", "--box", "30,20,10,10", "-o", output, model="context")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == expected
    assert all(", clsr, " in line for line in result.stdout.splitlines())
    assert files(here) == [Path(p).name for p in expected]
    assert images.read(expected[1]).size == Box(0, 0, 40, 40).size


def test_the_file_is_what_the_library_restores(nets, here):
    restore(nets, "--box", "4,5,12,8", "--strategy", "crop", "-o", "cut.png", model="context")
    photo = images.read("photo.png")
    scene = localsr.load(nets / "context.safetensors").encode(photo)
    expected = np.rint(scene.restore(Box(4, 5, 16, 13), "crop").pixels * 255)
    saved = images.read("cut.png").window(Box(0, 0, 48, 32)) * 255
    np.testing.assert_allclose(saved, expected, atol=0.01)


def test_a_frame_of_a_clip_and_its_neighbours(nets, here):
    Path("clip.mp4").write_bytes(clips.encoded(clips.numbered(12)))
    model = nets / "plain.safetensors"
    args = ("--at", "0.2s", "--frames", 5, "--box", "20,20,24,16", "--model", model)
    result = run("restore", "clip.mp4", *args, "-o", "plate.png", "--compare", "sheet.png")
    assert result.exit_code == 0, result.output
    assert re.search(r"plate.png: 96 x 64 px, halo from [1-5] frames \(\d+% of it\), ", result.stdout)
    assert "sheet.png: compared with bicubic and one frame" in result.stdout
    assert images.read("plate.png").size.width == 96
    assert images.read("sheet.png").size.width > 900
    result = run("restore", "clip.mp4", *args)
    assert "clip-20-20-24x16-x4.png: 96 x 64 px" in result.stdout
    told = json.loads(run("restore", "clip.mp4", *args, "--json").stdout)["regions"][0]["frames"]
    assert {"used", "left_out", "fused_share"} == set(told)
    assert len(told["used"]) + len(told["left_out"]) == 8
    assert all(one["reason"] for one in told["left_out"])
    result = run("restore", "clip.mp4", *args, "-o", "plate.png", "--report", "r.html")
    assert "r.html: the report, and r.json beside it" in result.stdout
    assert json.loads(Path("r.json").read_text())["regions"][0]["file"] == "plate.png"
    fails(run("restore", "clip.mp4", *args, "--into", "a.png", "--report", "r.html"), 2, "so add -o")
    Path("boxes.json").write_text('[{"x": 10, "y": 10, "w": 12, "h": 8}]')
    boxed = ("--at", "0.2s", "--boxes", "boxes.json", "--model", nets / "plain.safetensors", "--report", "boxes.html")
    fails(run("restore", "clip.mp4", *boxed), 2, "boxes.json holds the boxes")
    fails(
        run("restore", "photo.png", "--box", "0,0,9,9", "--report", "r.html"), 2, "--report is on regions from several"
    )
    fails(run("restore", "clip.mp4", "--at", "soon", "--box", "0,0,9,9"), 2, "'soon' is no moment", "12.4s")
    fails(run("restore", "clip.mp4", "--at", "1:00", "--box", "0,0,9,9"), 2, "no frame at 60 s", "lasts 0.48 s")


def test_a_region_is_tracked_through_a_clip(nets, here):
    Path("clip.mp4").write_bytes(clips.encoded(clips.numbered(6)))
    args = (
        "restore",
        "clip.mp4",
        "--track",
        "--frames",
        1,
        "--box",
        "20,20,48,32",
        "--model",
        nets / "plain.safetensors",
    )
    result = run(*args, "--at", "0.04s", "--until", "0.16s", "-o", "plate.mp4")
    assert result.exit_code == 0, result.output
    assert result.stdout == "plate.mp4: 192 x 128 px, 4 frames from 0.040 s to 0.160 s\n"
    assert localsr.read_frames("plate.mp4", at=0.13).reference.size == localsr.Size(192, 128)
    told = json.loads(run("inspect", "plate.mp4", "--json").stdout)
    assert (told["size"], told["provenance"]["network"], told["provenance"]["scale"]) == ([192, 128], "plain", 4)
    assert told["provenance"]["boxes"] == [[20, 20, 68, 52]]
    assert "digital source type: http" in run("inspect", "plate.mp4").stdout
    source = run("inspect", "clip.mp4")
    assert (source.exit_code, source.stdout) == (3, "clip.mp4: 96 x 64 px, 0.24 s\n")
    told = json.loads(run(*args, "-o", "out", "--json").stdout)
    assert [Path(one["output"]).name for one in told["frames"]] == [
        f"clip-20-20-48x32-x4-0000{n}.png" for n in range(1, 7)
    ]
    assert told["frames"][3]["box"] == [20, 20, 68, 52]
    assert images.read(told["frames"][5]["output"]).size == localsr.Size(192, 128)
    changed = np.rint(np.random.default_rng(3).random((8, 12, 3)) * 255).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    Path("cut.mp4").write_bytes(clips.encoded([*clips.numbered(3), changed, changed]))
    lost = run(*args[:1], "cut.mp4", *args[2:], "-o", "p{n}.png")
    assert lost.exit_code == 3
    assert lost.stdout.startswith("p{n}.png: 192 x 128 px, 3 frames")
    assert "the region is lost at 0.120 s" in lost.stderr
    assert sorted(path.name for path in Path().glob("p0*")) == ["p00001.png", "p00002.png", "p00003.png"]
    fails(run(*args, "--box", "0,0,9,9"), 2, "follows one region, not 2")
    fails(run(*args, "-o", "one.png"), 2, "one picture for many frames", "{n}")
    fails(run(*args, "-o", "one.gif"), 2, "must end in .mp4")
    fails(run(*args, "-o", "clip.mp4"), 2, "never replaced")
    fails(run(*args, "--compare", "sheet.png"), 2, "leave out --into and --compare")
    fails(run("restore", "clip.mp4", "--until", "3s", "--box", "0,0,9,9"), 2, "add --track")


def test_photos_together(nets, here):
    for name in ("b.png", "c.png"):
        Path(name).write_bytes(Path("photo.png").read_bytes())
    args = ("--box", "10,10,12,8", "--model", nets / "plain.safetensors")
    result = run("restore", "photo.png", "b.png", "c.png", "--together", *args)
    assert result.exit_code == 0, result.output
    together = Path("photo-10-10-12x8-x4.png").read_bytes()
    assert restore(nets, "--box", "10,10,12,8").exit_code == 0
    assert Path("photo-10-10-12x8-x4.png").read_bytes() == together  # the others bring nothing
    fails(run("restore", "photo.png", "b.png", "--together", *args, "-o", "b.png"), 2, "never replaced")
    fails(run("restore", "photo.png", "b.png", *args), 2, "2 photos are given", "--together")
    fails(run("restore", "photo.png", "--together", *args), 2, "two photos or more")
    fails(run("restore", "photo.png", "b.png", "--together", "--at", "1s", *args), 2, "--at is for a clip")


def test_json(nets, here):
    args = ("--box", "0,0,8,8", "--box=-5,20,10,20", "--clip", "--scale", "4", "-o", "out", "--compare", "s.png")
    result = restore(nets, *args, "--json")
    told = json.loads(result.stdout)
    sha256 = checkpoint.read(nets / "plain.safetensors")[1].sha256
    seconds, made = [region.pop("seconds") for region in told["regions"]], {"precision": "fp32"}
    assert told.pop("provenance") == {
        "software": f"localsr {localsr.__version__}",
        "network": "plain",
        "network_sha256": sha256,
        "source_sha256": hashlib.sha256(Path("photo.png").read_bytes()).hexdigest(),
        "boxes": [[0, 0, 8, 8], [0, 20, 5, 30]],
        "scale": 4,
        "strategy": "halo",
        "precision": "fp32",
        "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced",
    }
    assert told == {
        "input": "photo.png",
        "size": [40, 30],
        "model": {"name": "plain", "sha256": sha256},
        "scale": 4,
        "strategy": "halo",
        "regions": [
            {"box": [0, 0, 8, 8], "output": "out/photo-0-0-8x8-x4.png", "width": 32, "height": 32} | made,
            {"box": [0, 20, 5, 30], "output": "out/photo-0-20-5x10-x4.png", "width": 20, "height": 40} | made,
        ],
        "compare": "s.png",
    }
    assert all(s > 0 for s in seconds)
    assert files(here) == ["photo-0-0-8x8-x4.png", "photo-0-20-5x10-x4.png", "s.png"]


def test_any_size(nets, here):
    """Of sizes that no network gives: by the command, in names, lines, JSON and files."""
    result = restore(nets, "--box", "0,0,10,8", "--scale", "1.5")
    assert result.exit_code == 0, result.output
    assert "photo-0-0-10x8-x1.5.png: 15 x 12 px" in result.stdout
    Path("r.jsonl").write_text('{"box": [0, 0, 10, 8]}\n{"box": [0, 0, 5, 4]}\n')
    result = restore(nets, "--boxes", "r.jsonl", "--size", "30x", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 3  # the second would be enlarged six times
    assert "left out: a region of 5 x 4 px would be enlarged 6 times" in result.stderr
    (region,) = told["regions"]
    assert (region["output"], region["width"], region["height"], region["scale"]) == (
        "photo-0-0-10x8-30x24.png",
        30,
        24,
        3,
    )
    assert json.loads(run("inspect", region["output"], "--json").stdout)["provenance"]["scale"] == 3
    result = restore(nets, "--box", "0,0,10,8", "--size", "x90", "--into", "all.png")
    assert result.exit_code == 0, result.output
    assert "all.png: 120 x 90 px" in result.stdout
    cost = run(
        "cost", "photo.png", "--box", "0,0,10,8", "--scale", "3", "--model", nets / "plain.safetensors", "--json"
    )
    assert json.loads(cost.stdout)["results"] == [[30, 24]]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--box", "1,2,3"), ("'1,2,3'", "40,60,128,96")),
        (("--box", "1,2,3,0"), ("no area",)),
        (("--box", "0,0,8,8", "--box", "30,0,20,10"), ("box 30,0,20,10 leaves", "40 x 30", "--clip")),
        (("--box", "90,90,8,8", "--clip"), ("outside", "40 x 30")),
        (("--box", "0,0,8,8", "--strategy", "clip"), ("'clip'", "crop, halo, clsr, full")),
        (("--box", "0,0,8,8", "--strategy", "clsr"), ("plain backbone",)),
        (("--box", "0,0,8,8", "--scale", "5"), ("x4, not x5; ask for at most x4",)),
        (("--box", "0,0,8,8", "--scale", "9"), ("a scale of 9.0 cannot be", "1 to 8")),
        (("--box", "0,0,8,8", "--size", "large"), ("'large' is no size", "1200x")),
        (("--box", "0,0,8,8", "--size", "99x"), ("would be enlarged 12.38 times", "at most 32 x 32 px")),
        (("--box", "0,0,8,8", "--size", "20x", "--scale", "3"), ("leave one out",)),
        (("--box", "0,0,8,8", "--size", "20x", "-o", "a.png", "--into", "b.png"), ("--size is of one file",)),
        (("--box", "0,0,8,8", "--model", "nothing"), ("'nothing'",)),
        (("--box", "0,0,8,8", "--model", "photo.png"), ("photo.png", "localsr models")),
        (("--box", "0,0,8,8", "-o", "a.gif"), ("a.gif", ".png", ".jpg")),
        (("--box", "0,0,8,8", "-o", "photo.png"), ("photo itself",)),
        (("--box", "0,0,8,8", "-o", "a.png", "--compare", "a.png"), ("a.png", "sheet")),
        (("--box", "0,0,8,8", "--compare", "a.jpg"), ("a.jpg", ".png")),
        (("--box", "0,0,8,8", "--box", "0,0,4,4", "-o", "a.png"), ("2 boxes", "a-{n}.png")),
        (("--box", "0,0,8,8") * 25 + ("--compare", "a.png"), ("at most 24",)),
    ],
)
def test_wrong_use_is_a_sentence(nets, here, args, words):
    own = "--model" in args
    fails(run("restore", "photo.png", *args) if own else restore(nets, *args), 2, *words)
    assert files(here) == []


def test_wrong_photo(nets, here):
    Path("text.jpg").write_text("no picture at all")
    for name, word in (("gone.jpg", "gone.jpg"), ("text.jpg", "localsr reads"), (".", "localsr: .")):
        fails(run("restore", name, "--box", "0,0,8,8", "--model", nets / "plain.safetensors"), 2, word)


def test_a_link_to_the_photo_is_the_photo(nets, here):
    Path("link.png").symlink_to("photo.png")
    before = Path("photo.png").read_bytes()
    fails(restore(nets, "--box", "0,0,8,8", "-o", "link.png"), 2, "link.png")
    assert Path("photo.png").read_bytes() == before


def test_damaged_checkpoint(nets, here):
    data = bytearray((nets / "plain.safetensors").read_bytes())
    data[-5] ^= 1
    Path("bad.safetensors").write_bytes(data)
    fails(run("restore", "photo.png", "--box", "0,0,8,8", "--model", "bad.safetensors"), 2, "damaged")
    fails(run("models", "bad.safetensors"), 2, "damaged")


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (OutputError("x could not be written"), 2, "x could not be written"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "xx"), 2, "xx: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), 4, "No space left"),
        (MemoryError(), 4, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 4, "out of memory"),
        (ImageError("photo.png is damaged"), 2, "photo.png is damaged"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("division by zero"), 1, "--debug"),
    ],
)
def test_exit_codes(nets, here, monkeypatch, error, code, word):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(Scene, "stream", fail)
    fails(restore(nets, "--box", "0,0,8,8"), code, word)
    args = ["--debug", "restore", "photo.png", "--box", "0,0,8,8", "--model", str(nets / "plain.safetensors")]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == code
    assert result.stderr.startswith("Traceback")
    assert word in result.stderr.splitlines()[-1]


def test_a_file_that_cannot_be_written(nets, here):
    Path("file").write_text("")
    fails(restore(nets, "--box", "0,0,8,8", "-o", "file/out.png"), 2, "file")


def test_a_full_disk(nets, here, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("out.png").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    fails(restore(nets, "--box", "0,0,8,8", "-o", "out.png"), 4, "No space left on device", "untouched")
    assert Path("out.png").read_text() == "old"
    assert not list(Path().glob(".localsr-*"))


def test_default_names(here):
    from localsr.cli.result_files import default_name

    box = Box(1, 2, 4, 6)
    assert default_name(Path("a/street.TIF"), box, Enlargement(2)) == "street-1-2-3x4-x2.tif"
    assert default_name(Path("street.jpg"), box, Enlargement(4)) == "street-1-2-3x4-x4.png"
    assert default_name(Path("--my $(photo) 'é'.v2.webp"), box, Enlargement(4)) == "my_photo_é_.v2-1-2-3x4-x4.webp"
    assert default_name(Path("$$$.png"), box, Enlargement(4)) == "picture-1-2-3x4-x4.png"
    assert default_name(Path("a.png"), box, Enlargement(1.5)) == "a-1-2-3x4-x1.5.png"
    assert default_name(Path("a.png"), box, Enlargement(width=6)) == "a-1-2-3x4-6x8.png"
    assert len(default_name(Path("é" * 120 + ".png"), box, Enlargement(4)).encode()) <= 255


def test_models(nets, monkeypatch):
    monkeypatch.setattr(embedded, "EMBEDDED_FOLDER", nets)
    monkeypatch.setattr(embedded, "DEFAULT_NETWORKS", {4: "context"})
    out = run("models").stdout
    for words in ("context (default)", "plain", "edsr", "x4", "clsr", "1,200", "bsd100: clsr 27.60, halo 27.50"):
        assert words in out
    told = json.loads(run("models", "--json").stdout)["models"]
    assert [(m["name"], m["kind"], m["default"]) for m in told] == [
        ("context", "clsr", True),
        ("plain", "plain", False),
    ]
    assert told[1]["parameters"] == sum(p.numel() for p in CLSR(PLAIN).parameters())
    assert "Not trained yet: edsr-light, carn-m, carn, srresnet, rcan, swinir-light, swinir, esrgan, " in out
    card = run("models", "context").stdout
    for words in ("context: edsr, x4, clsr", "plain twin:   plain", "steps:        1200", "bsd100: clsr 27.60"):
        assert words in card
    assert "context" not in run("models", nets / "plain.safetensors").stdout
    both = run("models", "plain", nets / "context.safetensors").stdout
    assert "plain" in both
    assert "context" in both
    fails(run("models", "unknown"), 2, "no network 'unknown'")


def test_models_without_any(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "EMBEDDED_FOLDER", tmp_path)
    result = run("models")
    assert result.exit_code == 0
    assert "no network" in result.stdout


def test_train_refuses_a_bad_recipe(here):
    Path("r.toml").write_text('name = "n"\nfolders = ["f"]\nstep = 3\n')
    fails(run("train", "r.toml"), 2, "'step'", "did you mean steps?")
    fails(run("train", "gone.toml"), 2, "gone.toml")


def test_train(here, monkeypatch):
    def fit(recipe, runs, *, resume, restart, decayed, devices, nodes, workers, watch):
        assert (recipe.name, recipe.steps, runs, resume, restart) == ("n", 7, Path("elsewhere"), True, False)
        assert (decayed, devices, nodes, workers, recipe.max_broken) == (None, 2, 1, 0, 0.1)
        watch("pictures", 1, 2, {})
        watch("training", 3, 7, {"loss": 0.25})
        watch("validation", 3, 7, {"psnr_y": 27.5})
        return runs / "n.safetensors"

    monkeypatch.setitem(sys.modules, "localsr.training.fit", types.SimpleNamespace(fit=fit))
    Path("r.toml").write_text('name = "n"\nfolders = ["f"]\n')
    options = ("--set", "steps=7", "--max-broken", "0.1", "--devices", "2", "--runs", "elsewhere", "--resume")
    result = run("train", "r.toml", *options)
    assert result.stdout == "elsewhere/n.safetensors\n"
    assert "steps = 7\n" in result.stderr
    assert "validation 3/7, psnr_y 27.5000" in result.stderr
    fails(run("train", "r.toml", "--resume", "--restart"), 2, "choose one")
    fails(run("train", "r.toml", "--devices", "0"), 2, "must be auto or a number")
    fails(run("train", "r.toml", "--set", "step=7"), 2, "did you mean steps")
    monkeypatch.setitem(sys.modules, "lightning", None)
    fails(run("train", "r.toml"), 2, "pip install 'localsr[train]'")


def test_evaluate(nets, here):
    net = here / "context.safetensors"
    net.write_bytes((nets / "context.safetensors").read_bytes())
    (here / "plain.safetensors").write_bytes((nets / "plain.safetensors").read_bytes())
    hr = here / "tiny" / "HR"
    hr.mkdir(parents=True)
    for n in range(2):
        (hr / f"{n}.png").write_bytes(Path("photo.png").read_bytes())
    args = ("evaluate", "--data", "tiny", "--model", net, "--roi", 3)
    result = run(*args, "--strategy", "crop,clsr", "-o", "r", "--limit", 1)
    assert result.exit_code == 0, result.stderr
    for words in ("tiny, 1 pictures, ROI 3, x4, context", "crop", "clsr", "PSNR Y", "GFLOPs first ROI"):
        assert words in result.stdout
    told = json.loads(Path("r/result.json").read_text())
    assert list(told["strategies"]) == ["crop", "clsr"]
    assert run(*args, "--strategy", "halo", "--record").exit_code == 0
    tensors, card = checkpoint.read(net)
    assert card.protocol["tiny-roi3"]["strategies"].keys() == {"halo"}
    assert run(*args, "--degradation", "photo", "--record", "-o", "p").exit_code == 0
    _, card = checkpoint.read(net)
    assert card.protocol["tiny-photo-roi3"]["protocol"]["degradation"] == "photo"
    told = json.loads(Path("p/result.json").read_text())
    assert len(told["protocol"]["degradations"]) == 2
    fails(run(*args, "--degradation", "rain"), 2, "degradation 'rain' is not one of bicubic, photo")
    assert card.protocol["bsd100"]["roi"] == 24
    assert checkpoint.digest(tensors) == card.sha256
    fails(run(*args, "--record", "--limit", 1), 2, "--limit")
    fails(run(*args, "--strategy", "crop,best"), 2, "'best'")
    fails(run("evaluate", "--data", "gone", "--model", net), 2, "gone", "wherever it lies", "--root")


def test_evaluate_several_data_sets_and_what_it_would_cost(nets, here):
    for name in ("Urban100", "deep/manga109"):
        (here / "sets" / name).mkdir(parents=True)
        (here / "sets" / name / "0.png").write_bytes(Path("photo.png").read_bytes())
    args = ("evaluate", "--root", "sets", "--data", "urban100", "--data", "manga109", "--roi", 3, "--strategy", "crop")
    args = (*args, "--model", nets / "plain.safetensors", "-o", "kept")
    told = run(*args, "--dry-run")
    assert told.exit_code == 0, told.stderr
    for words in ("urban100, 1 pictures, 6 ROIs of 3, plain", "manga109, 1 pictures", "GFLOPs", "time here"):
        assert words in " ".join(told.stdout.split())
    assert not Path("kept").exists()
    assert run(*args).exit_code == 0
    for name in ("urban100", "manga109"):
        assert json.loads(Path(f"kept/{name}/result.json").read_text())["protocol"]["data"] == name


def test_usage_errors(here):
    for args, word in ((["restore", "photo.png"], "--box"), (["resore"], "resore"), (["train", "--what"], "--what")):
        result = run(*args)
        assert result.exit_code == 2
        assert word in result.stderr
    assert run("--version").stdout.startswith("localsr 0.")


def test_help_is_light():
    code = (
        "import sys\nfrom localsr.cli import main\ntry:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "heavy = {'torch', 'numpy', 'pyvips', 'matplotlib', 'lightning'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    source = str(Path(restorer.__file__).parents[2])
    for command in ([], ["restore"], ["evaluate"]):
        args = [sys.executable, "-W", "error", "-c", code, *command, "--help"]
        began = time.monotonic()
        done = subprocess.run(args, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": source})
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout
        assert time.monotonic() - began < 5  # 0.3 s on a quiet machine; this only catches what is wholly wrong


def test_python_m_and_a_closed_pipe(nets):
    """The reader of a pipe may leave; that is no fault to report."""
    source = str(Path(restorer.__file__).parents[2])
    command = f"{sys.executable} -W error -m localsr --help | true; exit ${{PIPESTATUS[0]}}"
    env = os.environ | {"PYTHONPATH": source}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_explain(nets, here):
    args = ("explain", "photo.png", "--box", "4,5,12,8", "--model", nets / "context.safetensors")
    result = run(*args, "-o", "map.png", "--json")
    told = json.loads(result.stdout)
    assert (told["input"], told["model"], told["map"]) == ("photo.png", "context", "map.png")
    assert len(told["patches"]) == 4
    assert sum(p["share"] for p in told["patches"]) == pytest.approx(1, abs=1e-4)
    assert images.read("map.png").size.width >= 720
    assert run(*args, "-o", "map.png").stdout.startswith("map.png: 4 patches, the largest share ")
    fails(run(*args, "-o", "map.jpg"), 2, "map.jpg must end in .png")
    fails(run(*args, "-o", "photo.png"), 2, "is the photo itself")
    fails(run(*args[:3], "30,20,20,20", *args[4:], "-o", "map.png"), 2, "leaves the picture")
    plain = run("explain", "photo.png", "--box", "4,5,12,8", "--model", nets / "plain.safetensors", "-o", "map.png")
    fails(plain, 2, "plain has no global context module")


@pytest.mark.slow
def test_flops(here, monkeypatch):
    few = {name: costs for name, costs in paper.PAPER_COSTS.items() if name in ("carn-m", "srresnet")}
    monkeypatch.setattr(paper, "PAPER_COSTS", few)
    result = run("flops", "--json", "flops.json")
    assert result.exit_code == 0
    assert "0.65 (0.65)" in result.stdout
    told = json.loads(Path("flops.json").read_text())
    first = told["rows"][0]
    assert first.pop("gflops") == pytest.approx(0.65, rel=0.02)
    assert first == {"network": "carn-m", "strategy": "crop", "height": 24, "width": 24, "paper": 0.65}
    assert len(told["rows"]) == 18
    assert {h["halo"] for h in told["halos"]} == {0, 1, 2, 4, 8}
    fails(run("flops", "--json", "."), 2, "is a folder")


def test_cost(nets, here, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here))
    args = ("cost", "photo.png", "--box", "0,0,8,8", "--model", nets / "context.safetensors")
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    for words in ("1 region of a picture", "crop", "halo", "clsr", "full", "patches, GFLOPs", "seconds", "peak MB"):
        assert words in result.stdout
    told = json.loads(run(*args, "--json").stdout)["strategies"]
    assert told["crop"]["gflops"] < told["clsr"]["gflops"]
    fails(run(*args, "--max-memory", 100), 2, "100 MB are not enough")
    fails(run("cost", "photo.png", "--box", "0,0,800,8"), 2, "leaves the picture")


def test_into_the_whole_picture(nets, here, monkeypatch):
    args = ("--box", "2,3,8,9", "--into")
    result = restore(nets, *args, "whole.png")
    assert result.exit_code == 0, result.stderr
    with Image.open("photo.png") as photo, Image.open("whole.png") as whole:
        assert whole.size == (4 * photo.width, 4 * photo.height)
        size = photo.size
    assert "1 region restored with a rim of 2 px" in result.stdout
    assert sorted(p.name for p in here.glob("*-x4.png")) == []  # the region alone only where a name is given
    both = restore(nets, *args, "own.png", "--same-size", "--feather", 0, "-o", "region.png", "--json")
    told = json.loads(both.stdout)
    assert (told["into"], told["regions"][0]["output"]) == ("own.png", "region.png")
    with Image.open("own.png") as own, Image.open("region.png") as region:
        assert (own.size, region.size) == (size, (32, 36))
    monkeypatch.setattr("localsr.inference.restoration.MAX_PIXELS_HELD", 100)
    large = restore(nets, "--box", "2,3,8,9", "-o", "large.png")
    assert large.exit_code == 0, large.stderr
    with Image.open("large.png") as one, Image.open("region.png") as other:
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1
    fails(restore(nets, "--box", "2,3,8,9", "-o", "l.png", "--compare", "s.png"), 2, "leave out --compare")
    fails(restore(nets, "--box", "2,3,8,9", "--same-size"), 2, "--into")
    fails(restore(nets, *args, "photo.png"), 2, "the photo itself")
    fails(restore(nets, *args, "a.gif"), 2, "must end in")
    fails(restore(nets, *args, "a.png", "-o", "a.png"), 2, "another name")
    fails(restore(nets, *args, "a.png", "--compare", "s.png"), 2, "-o")


def test_boxes_in_every_form(nets, here):
    args = ("--box", "4,5:16,13", "--box", "10%,10%,50%,50%", "--box", "rel:0,0,0.26,0.26", "-o", "out")
    result = restore(nets, *args, "--json")
    assert result.exit_code == 0, result.stderr
    boxes = [region["box"] for region in json.loads(result.stdout)["regions"]]
    assert boxes == [[4, 5, 16, 13], [4, 3, 24, 18], [0, 0, 11, 8]]
    fails(restore(nets), 2, "--box", "--boxes", "--detect")
    fails(restore(nets, "--box", "110%,0%,10%,10%"), 2, "box 110%,0%,10%,10%", "leaves the picture")


def test_boxes_from_a_file(nets, here):
    coco = {
        "images": [{"id": 1, "file_name": "a/photo.png", "width": 40, "height": 30}, {"id": 2, "file_name": "b.png"}],
        "annotations": [
            {"image_id": 1, "bbox": [4, 5, 12, 8], "category_id": 3, "score": 0.75},
            {"image_id": 1, "bbox": [10, 10, 12, 8]},
            {"image_id": 1, "bbox": [30, 0, 4, 4]},
            {"image_id": 2, "bbox": [0, 0, 1, 1]},
        ],
        "categories": [{"id": 3, "name": "sign"}],
    }
    Path("coco.json").write_text(json.dumps(coco))
    Path("a").mkdir()
    Path("a/photo.png").write_bytes(Path("photo.png").read_bytes())
    model = ("--model", nets / "plain.safetensors", "-o", "out", "--json")
    told = json.loads(run("restore", "a/photo.png", "--boxes", "coco.json", *model).stdout)["regions"]
    assert [region["box"] for region in told] == [[4, 5, 16, 13], [10, 10, 22, 18], [30, 0, 34, 4]]
    assert (told[0]["label"], told[0]["score"], "label" in told[1]) == ("sign", 0.75, False)
    settled = ("--min-size", 5, "--merge-overlapping", "--grow", 1)
    told = json.loads(run("restore", "a/photo.png", "--boxes", "coco.json", *settled, *model).stdout)["regions"]
    assert [region["box"] for region in told] == [[3, 4, 23, 19]]
    found = run("restore", "a/photo.png", "--boxes", "coco.json", "--min-size", 13, *model)
    fails(found, 3, "no region in a/photo.png", "dropped: 3, the best of 12 x 8 px and score 0.75", "--min-size")
    Path("c.png").write_bytes(Path("photo.png").read_bytes())
    fails(
        run("restore", "c.png", "--boxes", "coco.json", *model), 2, "is about 2 pictures, such as a/photo.png", "c.png"
    )
    fails(restore(nets, "--boxes", "gone.json"), 2, "gone.json is not there")
    fails(restore(nets, "--box", "0,0,4,4", "--grow", "x"), 2, "'x' is no margin")
    Path("photo.txt").write_text("")
    fails(restore(nets, "--boxes", "photo.txt"), 3, "no region in photo.png, so there is nothing to do")


def test_a_bad_box_of_a_file_is_left_out_with_a_note(nets, here):
    """One bad box among good ones: these are restored, the exit code is 3; a bad one that is typed is refused."""
    Path("photo.jsonl").write_text('{"box": [4, 5, 16, 13]}\n{"box": [30, 20, 99, 99]}\n{"box": [7, 7, 7, 9]}\n')
    result = restore(nets, "--boxes", "photo.jsonl", "-o", "out", "--json")
    assert result.exit_code == 3
    assert [region["box"] for region in json.loads(result.stdout)["regions"]] == [[4, 5, 16, 13]]
    assert "left out: photo.jsonl, line 2" in result.stderr
    assert "left out: photo.jsonl, line 3" in result.stderr
    fails(restore(nets, "--boxes", "photo.jsonl", "--box", "30,20,99,99"), 2, "leaves the picture")


def test_boxes_on_standard_input(nets, here):
    args = ["restore", "photo.png", "--boxes", "-", "--model", str(nets / "plain.safetensors"), "-o", "out"]
    lines = '{"box": [4, 5, 16, 13]}\n0,0,8,8\n{"picture": "photo.png", "bbox": [1, 1, 5, 5]}\n'
    result = CliRunner().invoke(app, args, input=lines)
    assert result.exit_code == 0, result.stderr
    names = ["photo-0-0-8x8-x4.png", "photo-1-1-5x5-x4.png", "photo-4-5-12x8-x4.png"]
    assert files(here) == names
    other = '{"picture": "b.png", "bbox": [1, 1, 5, 5]}'
    fails(CliRunner().invoke(app, args, input=other), 2, "standard input is about b.png, which is not photo.png")
    fails(CliRunner().invoke(app, args, input="0,0,8,8\n0,0,8\n"), 2, "standard input, line 2: '0,0,8' is no region")
    assert files(here) == names


def test_what_restore_prints_is_what_boxes_takes(nets, here):
    """The answer of `--json`, in a file, in lines and on standard input: the same regions of the same picture."""
    first = restore(nets, "--box", "4,5,12,8", "--box", "50%,50%,10%,10%", "-o", "out", "--json").stdout
    args = ["restore", "photo.png", "--model", str(nets / "plain.safetensors"), "-o", "out", "--json", "--boxes"]
    for name, said in {"a.json": first, "b.json": json.dumps(json.loads(first), indent=1), "c.jsonl": first}.items():
        Path(name).write_text(said)
        for result in (run(*args, name), CliRunner().invoke(app, [*args, "-"], input=first)):
            again = json.loads(result.stdout)["regions"]
            assert [region["box"] for region in again] == [[4, 5, 16, 13], [20, 15, 24, 18]]
    Path("a.json").write_text(first.replace("[40, 30]", "[80, 60]"))
    result = run(*args, "a.json")
    assert result.exit_code == 3
    assert "a.json, regions[0]: was made for a picture of 80 x 60 px" in result.stderr


def test_detect(nets, here, monkeypatch):
    from localsr.regions import Found
    from localsr.regions.detectors import plugins

    def find(photo):
        return [Found(Box(1, 2, 9, 12), "sign", 0.9), Found(Box(20, 10, 45, 28), "sign", 0.6), Found(Box(0, 0, 5, 5))]

    monkeypatch.setattr(plugins, "_load", lambda name: find)
    result = restore(nets, "--detect", "sign", "--into", "sharp.png")
    assert result.exit_code == 0, result.stderr
    first, second, third, last = result.stdout.splitlines()
    assert first == "found sign at 1,2,8,10, score 0.90"
    assert second == "found sign at 20,10,20,18, score 0.60"
    assert third == "found sign at 0,0,5,5"
    assert last.startswith("sharp.png: 160 x 120 px, 3 regions restored")
    assert files(here) == ["sharp.png"]
    told = json.loads(restore(nets, "--detect", "sign", "--into", "sharp.png", "--min-score", "0.7", "--json").stdout)
    assert told["regions"][0] == {"box": [1, 2, 9, 12], "label": "sign", "score": 0.9}
    assert len(told["regions"]) == 2
    monkeypatch.setattr(plugins, "_load", lambda name: lambda photo: [Found(Box(0, 0, 5, 5), "sign", 0.4)])
    words = ("no sign in photo.png", "the best of 5 x 5 px and score 0.40", "--min-score")
    fails(restore(nets, "--detect", "sign", "--into", "none.png"), 3, *words)
    assert not Path("none.png").exists()


def test_detectors_that_are_not_there(nets, here):
    fails(restore(nets, "--detect", "faces"), 2, "no detector 'faces'; there are ", "face")
    fails(restore(nets, "--detect", "gone.onnx"), 2, "gone.onnx is no file")


def test_cost_and_explain_take_the_same_regions(nets, here, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here))
    Path("lines.jsonl").write_text("0,0,8,8\n50%,50%,10%,10%\n")
    result = run("cost", "photo.png", "--boxes", "lines.jsonl", "--model", nets / "plain.safetensors")
    assert "2 regions of a picture" in result.stdout, result.stderr
    args = ("explain", "photo.png", "--box", "10%,20%:40%,50%", "--model", nets / "context.safetensors")
    assert run(*args, "-o", "map.png").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--strategy", "crop"), ("--into", "whole.png")])
def test_a_bound_on_memory_is_kept(tmp_path, monkeypatch, more):
    """By the kernel's count of a process of its own: 470 MB and more without the bound, or with results forgotten."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    code = (
        "import sys; from localsr.cli import app; from localsr.inference.memory import peak\n"
        "app(sys.argv[1:], standalone_mode=False); print(peak() // 2**20)"
    )
    args = ["restore", "photo.png", "--box", "0,0,400,300", "-o", "r.png", "--max-memory", "430", *more]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 430


def test_regions_that_crowd_are_told_with_their_cost(nets, here):
    args = ("--box", "2,3,9,9", "--box", "4,5,9,9", "--box", "6,7,9,9", "--share", "-o", "out/")
    told = re.search(r"3 regions in 1 pieces: (\S+) GFLOPs, one by one (\S+)", restore(nets, *args).stdout)
    assert told is not None
    assert float(told[1]) <= float(told[2])


def test_boxes_of_a_result_are_those_of_the_next(nets, here):
    """Of outputs that are inputs: what `inspect --json` printed of a result asks for its boxes again."""
    restored = run("restore", "photo.png", "--model", nets / "plain.safetensors", "--box", "3,4,9,8", "-o", "a.png")
    assert restored.exit_code == 0
    (here / "a.json").write_text(run("inspect", "a.png", "--json").stdout)
    again = run(
        "restore", "photo.png", "--model", nets / "plain.safetensors", "--boxes", "a.json", "-o", "b.png", "--json"
    )
    assert [region["box"] for region in json.loads(again.stdout)["regions"]] == [[3, 4, 12, 12]]
    (here / "none.json").write_text(run("inspect", "photo.png", "--json").stdout)
    assert run("restore", "photo.png", "--boxes", "none.json").exit_code == 2


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("evaluate", "--strategy", "halo", "--strategy", "clsr", "--dry-run"), "--strategy"),
        (("restore", "photo.png", "-o", "a.png", "--output=b.png"), "--output"),
        (
            ("batch", ".", "-o", "out", "--detect", "face", "--detect", "eye", "--min-size=3", "--min-size", "4"),
            "--min-size",
        ),
        (("serve", "--port", "1", "--model", "a", "--model", "b", "--port", "2"), "--port"),
    ],
)
def test_an_option_of_one_value_is_given_once(words, name, here):
    """Of options that a command would keep the last of, without a word; those that take several go on doing so."""
    result = run(*words)
    assert result.exit_code == 2
    assert f"{name} is given 2 times and takes one value" in " ".join(result.stderr.split())


def test_a_clip_is_not_read_as_far_as_it_goes(here):
    """Of options that would go unheard."""
    result = run("restore", "clip.mp4", "--at", "1s", "--box", "1,1,9,9", "--tolerant")
    assert result.exit_code == 2
    assert "--tolerant reads damaged pictures, not clips" in result.stderr


def test_inspect_shows_what_made_a_picture(nets, here):
    assert restore(nets, "--box", "0,0,8,8", "-o", "a.png").exit_code == 0
    told = json.loads(run("inspect", "a.png", "--json").stdout)["provenance"]
    assert told["source_sha256"] == hashlib.sha256(Path("photo.png").read_bytes()).hexdigest()
    assert (told["boxes"], told["strategy"], told["network"]) == ([[0, 0, 8, 8]], "halo", "plain")
    result = run("inspect", "a.png")
    assert result.exit_code == 0
    assert f"network sha256: {told['network_sha256']}" in result.stdout
    result = run("inspect", "photo.png")
    assert (result.exit_code, result.stdout) == (
        3,
        "photo.png: 40 x 30 px, 3 bands of 8 bits\n"
        "measured: noise of 39.8 levels of 255, sharpened by 0.15 px, no JPEG\n",
    )
    assert result.stderr == "localsr: photo.png does not say that localsr made it\n"
    assert restore(nets, "--box", "0,0,8,8", "-o", "b.png", "--no-provenance").exit_code == 0
    assert run("inspect", "b.png").exit_code == 3


def test_quality_and_metadata_are_chosen(nets, here):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    with Image.open("photo.png") as picture:
        picture.save("photo.jpg", exif=exif, quality=80)
    for name, options in {"a": (), "b": ("--no-metadata",), "c": ("--quality", "20")}.items():
        done = run(
            "restore",
            "photo.jpg",
            "--model",
            nets / "plain.safetensors",
            "--box",
            "0,0,16,16",
            "-o",
            f"{name}.jpg",
            *options,
        )
        assert done.exit_code == 0, done.output
    makers = []
    for name in "abc":
        with Image.open(f"{name}.jpg") as picture:
            makers.append(picture.getexif().get(0x010F))
    assert makers == ["Maker", None, "Maker"]
    assert Path("c.jpg").stat().st_size < Path("a.jpg").stat().st_size / 2
    fails(restore(nets, "--box", "0,0,8,8", "-o", "a.png", "--quality", "80"), 2, "a quality is for jpeg, webp, avif")
    bmp = run("restore", "photo.jpg", "--model", nets / "plain.safetensors", "--box", "0,0,16,16", "-o", "a.bmp")
    assert "the photo's metadata is left out: a BMP holds none" in bmp.stderr


def test_denoise_and_deblur(nets, here, tmp_path_factory):
    told = save_told(tmp_path_factory.mktemp("told"))
    Image.open("photo.png").convert("RGB").resize((160, 120)).save("photo.jpg", quality=60)
    ask = ("restore", "photo.jpg", "--box", "4,4,20,16", "--model", str(told), "-o", "out")
    said, answers = run(*ask).stdout, []
    assert re.search(r"photo.jpg: restored as of noise of [\d.]+ levels of 255, .* JPEG of quality 60", said)
    for more in ((), ("--denoise", "0", "--deblur", "50"), ("--denoise", "100")):
        answers.append(json.loads(run(*ask, "--json", *more).stdout))
        answers[-1]["bytes"] = Path(answers[-1]["regions"][0]["output"]).read_bytes()
    assert [answer["conditions"]["compression"] for answer in answers] == [40, 0, 40]
    assert (answers[1]["conditions"]["noise"], answers[1]["conditions"]["blur"]) == (0, 0.6)
    assert answers[2]["conditions"]["noise"] == 25
    assert answers[2]["provenance"]["told"] == answers[2]["conditions"]
    assert len({answer["bytes"] for answer in answers}) == 3
    inspected = json.loads(run("inspect", answers[2]["regions"][0]["output"], "--json").stdout)
    assert inspected["provenance"]["told"] == answers[2]["conditions"]
    assert set(inspected["conditions"]) == {"noise", "blur", "compression"}
    for command in (("cost",), ("explain", "-o", "map.png")):
        assert "JPEG of quality 60" in run(*command, *ask[1:-2]).stdout


@pytest.mark.parametrize(
    ("network", "args", "words"),
    [
        ("context", ("--denoise", "10"), "context cannot be told how much to denoise or to deblur; leave --denoise"),
        ("context", ("--deblur", "much"), "--deblur much is neither auto nor a number from 0 to 100"),
        ("context", ("--denoise", "nan"), "--denoise nan is neither"),
        ("context", ("--denoise", "101"), "--denoise 101 is neither"),
    ],
)
def test_what_cannot_be_taken_away(nets, here, network, args, words):
    fails(
        run("restore", "photo.png", "--box", "4,4,8,8", "--model", str(nets / f"{network}.safetensors"), *args),
        2,
        words,
    )
    assert not list(Path().glob("photo-*"))
