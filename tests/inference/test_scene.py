"""One scene asked in many ways: the pixels of a box depend on the box alone, whatever the route."""

import dataclasses
import io
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import BOXES, awake, made, restorer, tiny
from PIL import Image
from safetensors.torch import load, save

import localsr
from localsr import images
from localsr.geometry import Box, Size, whole
from localsr.inference import batching, calibration, execution
from localsr.inference.cost import count_roi
from localsr.inference.memory import MEGABYTE, peak, resident, tensor_room
from localsr.inference.planning import WorkSettings, plan_work
from localsr.inference.protocols import DeviceMemoryError, RunnableNetwork
from localsr.inference.region_scene import RegionScene
from localsr.inference.strategies import Strategy
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES, count_work, without_weights
from localsr.onnx.network import OnnxNetwork
from localsr.onnx.tables import facts_of
from localsr.pytorch.network import TorchNetwork


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_random_scenes_through_every_route(backbone: str, tmp_path: Path) -> None:
    random = np.random.default_rng(sum(map(ord, backbone)))
    one = restorer(tiny(backbone))
    one.card = dataclasses.replace(one.card, sha256="w")
    for _ in range(8):
        width, height = (int(side) for side in random.integers(20, 90, 2))
        photo = localsr.read(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        corners = random.integers(0, (width, height), (5, 2))
        boxes = [
            Box.from_xywh(x, y, *(int(random.integers(1, room + 1)) for room in (width - x, height - y)))
            for x, y in corners.tolist()
        ]
        scene = one.encode(photo)
        scene.save(tmp_path / "scene")
        loaded = one.encode(photo, tmp_path / "scene")
        tight = scene.bounded({"swinir": 40, "rrdb": 8}.get(backbone, 5) * MEGABYTE)
        for way in Strategy:
            alone = [scene.restore(box, way).pixels for box in boxes]
            routes = {
                "list": [r.pixels for r in scene.restore(boxes, way)],
                "reversed": [r.pixels for r in scene.restore(boxes[::-1], way)[::-1]],
                "stream": [r.pixels for _, r in sorted(scene.stream(boxes, way), key=lambda found: found[0])],
                "loaded": [r.pixels for r in loaded.restore(boxes, way)],
                "little memory": [r.pixels for r in tight.restore(boxes, way)],
            }
            for route, found in routes.items():
                worst = max(np.abs(a - b).max() for a, b in zip(alone, found, strict=True))
                assert worst < 1e-5, (route, way, boxes)


def test_boxes_that_crowd_share_a_tile(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    one = restorer(tiny())
    scene = one.encode(noise)
    crowd = [Box.from_xywh(x, y, 12, 12) for x in range(10, 40, 3) for y in range(10, 30, 3)]
    ran: list[int] = []
    restored = execution.restore_batch

    def seen(inputs: object, batch: list[object]) -> object:
        ran.extend(len(item.boxes) for item in batch)
        return restored(inputs, batch)

    monkeypatch.setattr(execution, "restore_batch", seen)
    together = scene.restore(crowd, share=True)
    assert ran == [len(crowd)]
    ran.clear()
    apart = [Box(0, 0, 5, 5), Box(50, 40, 60, 50)]
    far = scene.restore(apart, share=True)
    assert ran == [1, 1]
    assert all(np.abs(a.pixels - b.pixels).max() < 1e-5 for a, b in zip(far, scene.restore(apart), strict=True))
    exact = dataclasses.replace(tiny(), halo=one.network.geometry.exact_halo)
    network = awake(exact)
    every = made(network, Card("tiny", exact), awake(exact.without_context())).encode(noise).restore(crowd)
    for a, b in zip(together, every, strict=True):  # each is what all the halo it needs gives
        assert np.abs(a.pixels - b.pixels).max() < 1e-5
    ran.clear()
    settings = WorkSettings(one.network, Strategy.CLSR, noise.size, 16)
    least = max(item.load(settings).bytes for item in plan_work(crowd, settings))
    scene.bounded(2 * least).restore(crowd, share=True)
    assert max(ran) < len(crowd)  # the tile would not fit
    full = scene.restore(crowd, "full", share=True)
    for a, b in zip(full, scene.restore(crowd, "full"), strict=True):
        assert np.abs(a.pixels - b.pixels).max() < 1e-5


def test_a_stream_gives_each_box_when_it_is_ready(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = restorer(tiny()).encode(noise)
    ran: list[int] = []
    restored = execution.restore_batch

    def seen(inputs: object, batch: list[object]) -> object:
        ran.append(len(batch))
        return restored(inputs, batch)

    monkeypatch.setattr(execution, "restore_batch", seen)
    stream = scene.bounded(2**30).stream(BOXES)  # one batch at a time: threads would work ahead
    assert ran == []
    n, first = next(stream)
    assert (len(ran), first.box) == (1, BOXES[n])
    rest = dict(stream)
    assert sorted([n, *rest]) == list(range(len(BOXES)))
    with pytest.raises(localsr.BoxError):
        scene.stream([Box(50, 40, 70, 45)])


def test_many_threads(noise: localsr.Photo) -> None:
    scene = restorer(tiny()).encode(noise)
    wanted = [r.pixels for r in scene.restore(BOXES)]
    worst: list[float] = []

    def ask(seed: int) -> None:
        for n in np.random.default_rng(seed).permutation(len(BOXES)).tolist():
            worst.append(float(np.abs(scene.restore(BOXES[n]).pixels - wanted[n]).max()))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 4 * len(BOXES)
    assert max(worst) < 1e-5


@pytest.mark.slow
def test_a_long_list_goes_to_threads(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = restorer(tiny()).encode(noise)
    boxes = [Box.from_xywh(x, y, 9, 9) for x in range(0, 50, 3) for y in range(0, 40, 3)]
    wanted = [scene.restore(box).pixels for box in boxes]
    restored, cores = execution.restore_batch, 2
    torch.set_num_threads(cores)  # a test before may have left it at one
    ran: list[tuple[int, int]] = []

    def seen(*inputs: object) -> object:
        ran.append((threading.get_ident(), torch.get_num_threads()))
        return restored(*inputs)

    monkeypatch.setattr(execution, "restore_batch", seen)
    monkeypatch.setattr(batching, "BATCH_AREA", 2**10)
    done: list[int] = []
    found = scene.restore(boxes, progress=lambda now, of: done.append(now))
    assert all(np.abs(a - b.pixels).max() < 1e-5 for a, b in zip(wanted, found, strict=True))
    assert done == sorted(done)
    assert done[-1] == 81 * len(boxes)
    assert {threads for _, threads in ran} == {1}
    assert threading.get_ident() not in {ident for ident, _ in ran}
    before = len(ran)
    left = scene.stream(boxes)
    next(left)
    left.close()  # whoever stops asking ends the work, and the threads
    assert len(ran) - before <= 2 * cores + 1
    assert torch.get_num_threads() == cores
    ran.clear()
    scene.bounded(2**30).restore(boxes)  # a bound on memory is one batch's
    assert {threads for _, threads in ran} == {cores}


def test_a_saved_scene_is_of_one_picture_and_one_network(noise: localsr.Photo, tmp_path: Path) -> None:
    one = restorer(tiny())
    one.card = dataclasses.replace(one.card, sha256="1")
    path = tmp_path / "scene"
    one.encode(noise).save(path)
    other = localsr.read(np.full((50, 60, 3), 9, np.uint8))
    with pytest.raises(localsr.CheckpointError, match="of another picture; encode the photo again"):
        one.encode(other, path)
    again = restorer(tiny())
    again.card = dataclasses.replace(again.card, sha256="2")
    with pytest.raises(localsr.CheckpointError, match="of another network"):
        again.encode(noise, path)
    data = path.read_bytes()
    tensors = load(data)
    about = {"format": "localsr-scene-1"} | one.encode(noise)._context.identity()
    for change in (
        {"keys": tensors["keys"][:, :, :-1]},
        {"values": tensors["values"] * torch.nan},
        {"places": tensors["places"].half()},
        {"more": torch.zeros(1)},
    ):
        path.write_bytes(save({k: v.contiguous() for k, v in (tensors | change).items()}, about))
        with pytest.raises(localsr.CheckpointError, match="is damaged"):
            one.encode(noise, path)
    for wrong in (b"", b"no scene", data[:-9], save(tensors, {"format": "localsr-1"})):
        path.write_bytes(wrong)
        with pytest.raises(localsr.CheckpointError):
            one.encode(noise, path)
    with pytest.raises(localsr.CheckpointError, match="cannot be read"):
        one.encode(noise, tmp_path / "gone")
    with pytest.raises(localsr.ConfigError, match="was never saved"):
        localsr.Restorer(one.network, Card("new", one.card.config)).encode(noise).save(path)
    with pytest.raises(localsr.ConfigError, match="nothing to save"):
        restorer(tiny(context=False)).encode(noise).save(path)


def test_little_memory_makes_small_tiles() -> None:
    size = Size(900, 700)
    settings = WorkSettings(awake(tiny()), Strategy.CLSR, size, 16)
    box = [whole(size)]
    freely = plan_work(box, settings)
    tightly = plan_work(box, settings._replace(memory=4 * MEGABYTE))
    assert len(tightly) > 3 * len(freely)
    assert max(item.load(settings).bytes for item in tightly) < 6 * MEGABYTE
    assert sum(item.taper.roi.width * item.taper.roi.height for item in tightly) == 900 * 700
    with pytest.raises(localsr.ConfigError, match="the smallest tile takes"):
        plan_work(box, settings._replace(memory=MEGABYTE // 4))
    with pytest.raises(localsr.ConfigError, match="100 MB are not enough: libraries and weights take"):
        tensor_room(100)
    assert peak() >= resident() > 50 * MEGABYTE


def test_an_accelerator_without_memory_gets_halves(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = restorer(tiny()).encode(noise)
    boxes = [Box.from_xywh(x, 20, 6, 6) for x in range(12, 44, 2)]
    wanted = [r.pixels for r in scene.restore(boxes)]
    asked: list[int] = []
    restored = execution.restore_batch

    def small(inputs: object, batch: list[object]) -> object:
        asked.append(len(batch))
        if len(batch) > 3:
            raise DeviceMemoryError
        return restored(inputs, batch)

    monkeypatch.setattr(execution, "restore_batch", small)
    found = [r.pixels for r in scene.restore(boxes)]
    assert max(asked) > 3 >= min(asked)
    assert all(np.abs(a - b).max() < 1e-5 for a, b in zip(wanted, found, strict=True))


def test_what_is_counted_is_what_is_taken() -> None:
    """Bytes on the meta device against those of the same tensors, one by one."""
    network = awake(tiny())
    settings = WorkSettings(TorchNetwork(network), Strategy.CLSR, Size(100, 100), 16)
    (item,) = plan_work([Box(40, 40, 60, 60)], settings)
    taken = item.load(settings)
    window = item.taper.windows[0]
    map_ = 16 * window.width * window.height * 4
    assert 3 * map_ < taken.bytes < 60 * map_
    assert count_work(network.config, *item.local(network.geometry.grid), 16) is taken  # counted once
    assert network.count_scene(16).flops > 0
    assert without_weights(network.config.without_context()).count_scene(16).flops == 0


@pytest.mark.slow
def test_the_bill(noise: localsr.Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(calibration, "TURNS", 1)
    scene = restorer(tiny()).encode(noise)
    box = Box(12, 13, 36, 37)
    one, two = scene.cost([box]), scene.cost([box, box.shifted(2, 2)])
    assert list(one) == list(Strategy)
    for way in Strategy:
        assert two[way].gflops == pytest.approx(2 * one[way].gflops)
        assert two[way].gflops_scene == one[way].gflops_scene
        assert two[way].seconds > one[way].seconds > 0
        assert two[way].megabytes > 100
    assert one[Strategy.CROP].gflops < one[Strategy.HALO].gflops < one[Strategy.CLSR].gflops
    counted = count_roi(awake(tiny()), Strategy.CLSR, 24, Size(60, 50))
    assert one[Strategy.CLSR].gflops * 1e9 == pytest.approx(counted.roi)
    assert one[Strategy.CLSR].gflops_scene * 1e9 == pytest.approx(counted.scene)
    crowd = [Box.from_xywh(x, 10, 12, 12) for x in range(10, 40)]
    assert scene.cost(crowd, share=True)[Strategy.CLSR].gflops < 0.5 * scene.cost(crowd)[Strategy.CLSR].gflops
    plain = made(awake(tiny(context=False)), Card("plain", tiny(context=False)))
    assert Strategy.CLSR not in plain.encode(noise).cost([box])
    with pytest.raises(localsr.BoxError, match="leaves the picture"):
        scene.cost([Box(50, 40, 70, 45)])


def test_a_calibration_is_kept_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def work(flops: int) -> int:
        calls.append(flops)
        time.sleep(flops / 50_000)
        return flops

    assert calibration.calibrated("odd", lambda: work(100), lambda: work(1), tmp_path).call == 0
    assert not (tmp_path / "speed.json").exists()  # the larger work was faster: nothing to keep
    calls.clear()

    first = calibration.calibrated("a", lambda: work(1), lambda: work(100), tmp_path)
    assert len(calls) == 2 * (1 + calibration.TURNS)
    assert calibration.calibrated("a", lambda: work(1), lambda: work(100), tmp_path) == first
    assert len(calls) == 2 * (1 + calibration.TURNS)
    for damaged in ("", "[1]", '{"a": 3}', '{"a": ["x", 1]}', '{"a": [1, 0]}'):
        (tmp_path / "speed.json").write_text(damaged)
        calls.clear()
        assert calibration.calibrated("a", lambda: work(1), lambda: work(100), tmp_path).rate > 0
        assert calls
    (tmp_path / "file").touch()
    assert calibration.calibrated("a", lambda: work(1), lambda: work(100), tmp_path / "file").rate > 0


def test_the_way_from_a_scene_to_its_network_is_short(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    one = restorer(tiny())
    scene = one.encode(noise)
    network = scene._networks.network
    frames: list[str] = []

    def restore(*inputs: object) -> object:
        frame = sys._getframe()
        while frame is not None:
            frames.append(frame.f_code.co_name)
            if frame.f_code is localsr.Scene.restore.__code__:
                break
            frame = frame.f_back
        return type(network).restore(network, *inputs)

    monkeypatch.setattr(network, "restore", restore)
    scene.restore(BOXES[3])
    assert frames[::-1] == ["restore", "assemble", "execute", "run_batch", "restore_batch", "restore"]


def test_keys_and_values_are_made_once_when_they_are_asked_for(
    noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = restorer(tiny()).encode(noise)
    network, asked = scene._networks.network, []

    def encode(*inputs: object) -> object:
        asked.append(threading.get_ident())
        time.sleep(0.05)  # others come meanwhile
        return type(network).encode(network, *inputs)

    monkeypatch.setattr(network, "encode", encode)
    for way in ("crop", "halo", "full"):
        scene.bounded(2**30).restore(BOXES[3], way)
    assert asked == []
    threads = [threading.Thread(target=scene.bounded(2**30).restore, args=(BOXES[3],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scene.attention(BOXES[3])
    assert len(asked) == 1


def test_a_scene_of_an_earlier_version_is_read(noise: localsr.Photo) -> None:
    """Saved by commit 0987fce, of this picture."""
    path = Path(__file__).parent / "scene-of-0987fce.safetensors"
    kept = restorer(tiny()).encode(noise, path)
    context = kept._context.get()
    assert context is not None
    assert all(np.array_equal(array, load(path.read_bytes())[name]) for name, array in context._asdict().items())
    assert np.isfinite(kept.restore(BOXES[3]).pixels).all()


def test_no_flipped_bit_of_a_saved_scene_is_used(noise: localsr.Photo, tmp_path: Path) -> None:
    """Family: damage that leaves a file in form; in its tensors, its header, and the length of that."""
    one, path = restorer(tiny()), tmp_path / "scene"
    scene = one.encode(noise)
    scene.save(path)
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    places = [8 * n + int(bit) for n, bit in enumerate(np.random.default_rng(0).integers(0, 8, header))]
    places += np.random.default_rng(1).integers(8 * header, 8 * len(data), 300).tolist()
    for place in places:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(localsr.CheckpointError):
            one.encode(noise, path)
    path.write_bytes(data)
    assert np.array_equal(one.encode(noise, path).restore(BOXES[3]).pixels, scene.restore(BOXES[3]).pixels)


def test_scenes_and_networks_are_what_the_protocols_say(noise: localsr.Photo) -> None:
    def members(protocol: type) -> set[str]:
        return {name for name in {**protocol.__annotations__, **vars(protocol)} if not name.startswith("_")}

    scene = restorer(tiny()).encode(noise)
    assert isinstance(scene, RegionScene)
    assert {"photo", "scale", "restore", "stream", "cost", "attention", "paste"} <= set(dir(scene))
    assert members(RunnableNetwork) >= {"runtime", "threads", "restore", "packed"}
    for network in (TorchNetwork(awake(tiny())), OnnxNetwork(tiny(), facts_of(awake(tiny())), {})):
        assert members(RunnableNetwork) <= set(dir(network))
        assert network.geometry == awake(tiny()).geometry


def test_a_scene_and_a_restoration_say_what_they_are(noise: localsr.Photo, tmp_path: Path) -> None:
    one = restorer(tiny())
    scene = one.encode(noise)
    assert repr(one) == "<Restorer of tiny, x4: crop, halo, clsr, full>"
    assert repr(scene) == "<Scene of a photo, 60 x 50 px, by tiny, x4: crop, halo, clsr, full>"
    found = scene.restore(BOXES[3])
    assert repr(found) == "<Restoration of (19, 14, 43, 38): 96 x 96 px by tiny, clsr, fp32>"
    found.save(tmp_path / "a.png")
    assert found._repr_png_() == (tmp_path / "a.png").read_bytes()


@pytest.mark.slow
def test_a_large_box_is_ready_before_the_next_begins() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    tight = restorer(tiny()).encode(localsr.read(pixels)).bounded(2**22)
    boxes = [Box(4 * k, 2 * k, 4 * k + 100, 2 * k + 90) for k in range(4)]
    assert len(list(tight.pieces(boxes[0]))) > 1
    heard: list[float] = []
    when = [(n, heard[-1]) for n, _ in tight.stream(boxes, progress=lambda done, of: heard.append(done / of))]
    assert when == [(n, pytest.approx((n + 1) / 4)) for n in range(4)]


def test_what_is_no_box_or_photo_is_told(noise: localsr.Photo) -> None:
    scene = restorer(tiny()).encode(noise)
    for ask in (scene.cost, scene.restore, lambda box: list(scene.stream([box]))):
        with pytest.raises(localsr.BoxError, match=r"no localsr\.Box"):
            ask([(1, 2, 3, 4)])
    for one in (scene.attention, lambda box: list(scene.pieces(box))):
        with pytest.raises(localsr.BoxError, match=r"no localsr\.Box"):
            one((1, 2, 3, 4))
    assert scene.cost(Box(1, 1, 5, 5)).keys() == scene.cost([Box(1, 1, 5, 5)]).keys()
    with pytest.raises(localsr.BoxError, match=r"\(1, 2, 3, 4\) is no localsr\.Box; .* Box\.from_xywh"):
        scene.restore((1, 2, 3, 4))
    for given, told in (("1,2,3,4", "'1,2,3,4'"), ({"x": 1}, r"\{'x': 1\}"), (None, "None"), (7, "7")):
        with pytest.raises(localsr.BoxError, match=rf"{told} is no localsr\.Box"):
            scene.restore(given)
    with pytest.raises(localsr.ImageError, match=r"a int is no picture"):
        restorer(tiny()).encode(5)


def test_a_picture_is_encoded_as_it_comes(noise: localsr.Photo, tmp_path: Path) -> None:
    """Family: what one way in takes and another refuses; all of it goes through `localsr.read`."""
    one, path = restorer(tiny()), tmp_path / "a.png"
    images.write(path, noise.window(whole(noise.size)), None, noise)
    data, expected = path.read_bytes(), one.encode(noise).restore(BOXES[3], "halo").pixels
    written = io.BytesIO()
    written.write(data)  # and not wound back
    with path.open("rb") as file:
        for source in (path, str(path), data, bytearray(data), memoryview(data), written, file, Image.open(path)):
            assert np.array_equal(one.encode(source).restore(BOXES[3], "halo").pixels, expected), source
    with path.open(encoding="latin-1") as file, pytest.raises(localsr.ImageError, match="open it with mode 'rb'"):
        one.encode(file)
    with pytest.raises(localsr.ImageError, match=r"gone\.png cannot be read"):
        one.encode(tmp_path / "gone.png")
