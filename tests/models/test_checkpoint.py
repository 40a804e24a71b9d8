"""Checkpoints: what goes in comes out, and nothing damaged or foreign gets in."""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import awake, restorer, tiny

import localsr
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(path, awake(tiny()), Card("tiny", tiny(), {"steps": 3}, {"hours": 0.1}))
    return path


def with_header(path: Path, change: object) -> None:
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = change(json.loads(data[8 : 8 + length]))
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


@pytest.mark.parametrize("start", [b"", bytes(9), struct.pack("<Q", 2**21) + b"{", struct.pack("<Q", 10) + b"["])
def test_what_has_no_header_is_not_read_to_its_end(tmp_path: Path, start: bytes) -> None:
    """Of weights that attack: a gigabyte of zeros was read before it was refused."""
    path = tmp_path / "hollow.safetensors"
    path.write_bytes(start)
    with path.open("r+b") as file:
        file.truncate(2**24)
    assert len(checkpoint.read_bounded(path, "checkpoint", 2**30, header=True)) == 9
    with pytest.raises(localsr.CheckpointError, match="is no checkpoint of localsr"):
        checkpoint.read(path)


def test_round_trip(saved: Path) -> None:
    network, card = checkpoint.load(saved)
    assert card.config == tiny()
    assert (card.name, card.recipe, card.training) == ("tiny", {"steps": 3}, {"hours": 0.1})
    assert len(card.sha256) == 64
    wanted = awake(tiny()).state_dict()
    assert all(torch.equal(v, wanted[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_runs_from_its_checkpoint(backbone: str, tmp_path: Path, noise: localsr.Photo) -> None:
    path = tmp_path / "net.safetensors"
    config = tiny(backbone)
    plain = awake(config.without_context())
    twin = checkpoint.save(tmp_path / "plain.safetensors", plain, Card("plain", plain.config))
    checkpoint.save(path, awake(config), Card("net", config, plain={"name": "plain", "sha256": twin.sha256}))
    box = localsr.Box(9, 9, 19, 19)
    loaded = localsr.load(path).encode(noise)
    fresh = restorer(config).encode(noise)
    for way in localsr.Strategy:
        assert np.array_equal(loaded.restore(box, way).pixels, fresh.restore(box, way).pixels)


def test_half_floats_are_half_the_file(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "half.safetensors"
    checkpoint.save(path, awake(tiny()), Card("half", tiny()), half=True)
    assert path.stat().st_size < 0.8 * saved.stat().st_size
    network, _ = checkpoint.load(path)
    wanted = awake(tiny()).state_dict()
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.allclose(tensor, wanted[name], rtol=1e-3, atol=1e-6)


def test_a_changed_weight_is_noticed(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-3] ^= 1
    saved.write_bytes(data)
    with pytest.raises(localsr.CheckpointError, match="damaged: its weights do not have the sha256"):
        checkpoint.load(saved)


def test_truncations_and_noise(saved: Path) -> None:
    data = saved.read_bytes()
    random = np.random.default_rng(0)
    for cut in (0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1):
        saved.write_bytes(data[:cut])
        with pytest.raises(localsr.CheckpointError):
            checkpoint.load(saved)
    for _ in range(200):
        mutant = bytearray(data)
        for place in random.integers(0, len(data), 4):
            mutant[place] ^= int(random.integers(1, 256))
        saved.write_bytes(mutant)
        with pytest.raises(localsr.CheckpointError):
            checkpoint.load(saved)


def test_another_architecture(tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    checkpoint.save(path, awake(tiny()), Card("wrong", tiny("carn")))
    with pytest.raises(localsr.CheckpointError, match=r"does not fit its architecture: lacks .* and \d+ more"):
        checkpoint.load(path)


def test_weights_of_another_type(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    tensors = {k: v.double().contiguous() for k, v in awake(tiny()).state_dict().items()}
    checkpoint.write(path, tensors, Card("odd", tiny()))
    with pytest.raises(localsr.CheckpointError, match=r"holds torch\.float64; its weights must be floats"):
        checkpoint.load(path)


def test_not_finite(tmp_path: Path) -> None:
    network = awake(tiny())
    next(network.parameters()).data[0] = float("nan")
    with pytest.raises(localsr.CheckpointError, match="not finite"):
        checkpoint.save(tmp_path / "nan.safetensors", network, Card("nan", tiny()))
    assert list(tmp_path.iterdir()) == []


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("executed"),))


def test_a_pickle_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, "bomb.pth")
    Path("bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb.pth", "bomb.pkl"):
        with pytest.raises(localsr.CheckpointError, match="no checkpoint of localsr"):
            localsr.load(name)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: {**h, "__metadata__": {}}, "is no checkpoint of localsr"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "config": "{}x"}}, "damaged or of another version"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "config": '{"chanels": 3}'}}, "did you mean channels"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "recipe": "[]"}}, "no table"),
        (lambda h: {k: v for k, v in h.items() if k != "backbone.head.conv.bias"}, "damaged"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "recipe": '{"name": "\\u001b[2J"}'}}, "control char"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "name": "a\x1b[2J"}}, "control characters"),
        (lambda h: {**h, "__metadata__": {**h["__metadata__"], "config": '{"stages": 4096, "blocks": 4096}'}},
         "more than 1024 blocks"),
        (lambda h: [1], "no checkpoint of localsr"),
        (lambda h: b"{" + b"[" * 5000, "damaged"),
        (lambda h: json.dumps(h).encode() + b" " * 2**20, "no checkpoint of localsr"),
        (lambda h: {**h, **{f"t{k}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for k in range(10_001)}},
         "has 100"),
    ],
)  # fmt: skip
def test_hostile_headers(saved: Path, change: object, message: str) -> None:
    with_header(saved, change)
    with pytest.raises(localsr.CheckpointError, match=message):
        checkpoint.load(saved)


def test_a_twin_is_found_by_name_and_sha256(tmp_path: Path, noise: localsr.Photo) -> None:
    plain = awake(tiny(context=False), seed=1)
    card = checkpoint.save(tmp_path / "plain.safetensors", plain, Card("plain", plain.config))
    twin = {"name": "plain", "sha256": card.sha256}
    checkpoint.save(tmp_path / "clsr.safetensors", awake(tiny()), Card("clsr", tiny(), plain=twin))
    scene = localsr.load(tmp_path / "clsr.safetensors").encode(noise)
    by_twin = scene.restore(localsr.Box(9, 9, 19, 19), "full").pixels
    alone = localsr.load(tmp_path / "plain.safetensors").encode(noise)
    assert np.array_equal(by_twin, alone.restore(localsr.Box(9, 9, 19, 19), "full").pixels)
    checkpoint.save(tmp_path / "plain.safetensors", awake(tiny(context=False), seed=2), Card("plain", plain.config))
    scene = localsr.load(tmp_path / "clsr.safetensors").encode(noise)
    with pytest.raises(localsr.ConfigError, match="no plain twin at hand"):
        scene.restore(localsr.Box(9, 9, 19, 19), "full")
    assert scene.restore(localsr.Box(9, 9, 19, 19)).strategy == "clsr"


def test_names_and_scales(saved: Path) -> None:
    with pytest.raises(localsr.CheckpointError, match="no network 'unknown': neither a file nor one of"):
        localsr.load("unknown")
    with pytest.raises(localsr.ConfigError, match="enlarges x4, not x5"):
        localsr.load(saved, scale=5)
