"""A photo that a service has, whose regions are asked for as those of a scene of this process."""

from __future__ import annotations

import dataclasses
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

import msgspec

from localsr import images
from localsr.errors import ConfigError, ServiceError
from localsr.files import write_whole
from localsr.geometry import Box, checked_boxes, whole
from localsr.images import FORMATS, Photo, Saving
from localsr.inference.cost import CostEstimate
from localsr.inference.paste import Pasting
from localsr.inference.restoration import Attention, Restoration
from localsr.inference.strategies import Strategy
from localsr.progress import Progress
from localsr.serving.messages import AttentionFacts, OfferedNetwork, RestorationFacts, StrategyCost

if TYPE_CHECKING:
    import httpx

    from localsr.inference.protocols import RegionScene

Answer = TypeVar("Answer")
SUFFIXES = {"jpeg": "jpg", "tiff": "tif", "png": "png", "webp": "webp"}  # as the API calls them
MAX_SENT_NAME = 200  # characters that the service keeps


class _Index(msgspec.Struct):
    """What the index of a zip says."""

    pictures: list[_Entry]


class _Entry(RestorationFacts, frozen=True):
    """A picture in a zip."""

    name: str


class _Upload(msgspec.Struct):
    """What is needed of the answer to an upload."""

    id: str


class ServiceConnection(Protocol):
    """What a scene needs of a `Client`."""

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401  # httpx's options
        """Make a request; `ServiceError` where the service refuses or cannot be reached."""


class RemoteScene:
    """A photo that a service has: a `RegionScene`, as `Scene` is.

    Pixels are rounded to the photo's depth on their way. Boxes are checked here and raise `BoxError`; a strategy that
    the network cannot run raises `ConfigError`, a service that refuses or cannot be reached `ServiceError`.
    """

    def __init__(self, client: ServiceConnection, photo: Photo, data: bytes, network: OfferedNetwork) -> None:
        """Send the picture; most callers want `Client.encode`."""
        self.photo = photo
        self._client, self._data, self._network = client, data, network
        self._id = self._send()

    @property
    def scale(self) -> int:
        """How many times a region is enlarged."""
        return self._network.scale

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run there."""
        return [Strategy(strategy) for strategy in self._network.strategies]

    def strategy(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that runs when `asked` is asked for, the default for None; `ConfigError` for no such."""
        strategy = Strategy.named(self._network.default_strategy if asked is None else asked)
        if strategy not in self.strategies:
            raise ConfigError(f"{self._network.name} cannot run {strategy}; choose {', '.join(self.strategies)}")
        return strategy

    @overload
    def restore(
        self,
        boxes: Box,
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration: ...

    @overload
    def restore(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> list[Restoration]: ...

    def restore(
        self,
        boxes: Box | Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        progress: Progress | None = None,
    ) -> Restoration | list[Restoration]:
        """Restore one box, or a list of boxes in one request, as `Scene.restore` does.

        Args:
            boxes: Regions in LR px of the upright picture.
            strategy: How they are restored; the network's default for None.
            clip: Cut boxes at the picture's border instead of refusing those that leave it.
            progress: Called with the LR px that are done, and how many there are in all.

        Returns:
            A restoration, or a list of them in the order of the boxes.
        """
        if isinstance(boxes, Box):
            return self.restore([boxes], strategy, clip=clip, progress=progress)[0]
        inside, named = checked_boxes(boxes, self.photo.size, clip=clip), self.strategy(strategy)
        found = self._restore(inside, named) if inside else []
        if progress is not None:
            progress(sum(box.area for box in inside), sum(box.area for box in inside))
        return found

    def stream(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, Restoration]]:
        """Restore boxes one request after the other, and yield each one's number and restoration as it comes.

        Arguments, errors and order are those of `restore`.
        """
        inside, named = checked_boxes(boxes, self.photo.size, clip=clip), self.strategy(strategy)
        total = sum(box.area for box in inside)

        def restorations() -> Iterator[tuple[int, Restoration]]:
            for number, box in enumerate(inside):
                (found,) = self._restore([box], named)
                if progress is not None:
                    progress(sum(each.area for each in inside[: number + 1]), total)
                yield number, found

        return restorations()

    def cost(self, boxes: Box | Sequence[Box]) -> dict[Strategy, CostEstimate]:
        """Return what restoring boxes would cost there, by strategy; the scene is counted with the boxes."""
        inside = as_json(checked_boxes(boxes, self.photo.size))
        found = parse_answer(self._ask("cost", boxes=inside).content, dict[str, StrategyCost])
        return {Strategy(name): CostEstimate(c.gflops, 0.0, c.seconds, c.megabytes) for name, c in found.items()}

    def attention(self, box: Box) -> Attention:
        """Return which of the sampled patches the network draws on for a box, and each one's share in [0, 1]."""
        inside = checked_boxes(box, self.photo.size)
        found = parse_answer(self._ask("attention", box=as_json(inside)[0]).content, AttentionFacts)
        patches = [Box(patch.left, patch.top, patch.right, patch.bottom) for patch in found.patches]
        return Attention(inside[0], patches, [patch.weight for patch in found.patches])

    def paste(
        self,
        path: str | os.PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        how: Pasting = Pasting(),  # noqa: B008  # frozen
        progress: Progress | None = None,
        saving: Saving = Saving(),  # noqa: B008  # frozen
    ) -> None:
        """Write the picture with its boxes restored, as `localsr.inference.paste.paste` does.

        Args:
            path: A file ending in .jpg, .tif, .png or .webp; the service writes no BMP.
            boxes: Regions in LR px of the upright picture, pasted in their order.
            strategy: How they are restored; the network's default for None.
            how: The rim over which boxes fade in, and whether the picture keeps its size.
            progress: Called once all is done.
            saving: The quality of the file, and what is left out of it.

        Raises:
            ConfigError: The suffix is none of these.
            OutputError: The file could not be written.
        """
        kind = SUFFIXES.get(FORMATS.get(Path(path).suffix.lower(), ""))
        if kind is None:
            raise ConfigError(f"{path} must end in .{', .'.join(SUFFIXES.values())}")
        inside, named = checked_boxes(boxes, self.photo.size), self.strategy(strategy)
        asked = {"feather": how.feather, "same_size": how.same_size, "format": kind, "strategy": str(named)}
        asked |= dataclasses.asdict(saving)
        write_whole(path, self._ask("paste", boxes=as_json(inside), **asked).content)
        if progress is not None:
            total = whole(self.photo.size).area + sum(box.area for box in inside)
            progress(total, total)

    def close(self) -> None:
        """Let the service forget the picture."""
        self._client.ask("DELETE", f"/pictures/{self._id}")

    def _send(self) -> str:
        """Send the picture, and return its id there."""
        name = self.photo.name.encode(errors="replace").decode()[:MAX_SENT_NAME] or "picture"
        answer = self._client.ask("POST", "/pictures", params={"name": name}, content=self._data)
        return parse_answer(answer.content, _Upload).id

    def _ask(self, what: str, **asked: Any) -> httpx.Response:  # noqa: ANN401  # JSON
        """Ask about the picture; send it again if the service has dropped it meanwhile."""
        asked["network"] = self._network.name
        try:
            return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)
        except ServiceError as error:
            if error.status != 404:
                raise
        self._id = self._send()
        return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)

    def _restore(self, boxes: Sequence[Box], strategy: Strategy) -> list[Restoration]:
        """Restore boxes, one or more, in one request."""
        answer = self._ask("restorations", boxes=as_json(boxes), strategy=str(strategy))
        if len(boxes) == 1:
            facts = parse_headers(answer.headers, boxes[0])
            return [self._restoration(answer.content, boxes[0], facts)]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
            index = parse_answer(bundle.read("index.json"), _Index).pictures
            return [self._restoration(bundle.read(e.name), box, e) for box, e in zip(boxes, index, strict=True)]

    def _restoration(self, data: bytes, box: Box, facts: RestorationFacts) -> Restoration:
        """Return what the library would for a box, from its picture."""
        picture = images.read(data)
        if picture.size != box.scaled(self.scale).size:
            raise ServiceError(f"the service answered {picture.size} px for box {box} at x{self.scale}")
        pixels, alpha = picture.window(whole(picture.size)), picture.alpha(whole(picture.size))
        made = (Strategy(facts.strategy), facts.network, "fp32", facts.seconds)
        told = picture.provenance
        sha256 = "" if told is None else told.network_sha256
        return Restoration(pixels, alpha, box, self.scale, *made, self.photo, sha256)


if TYPE_CHECKING:
    _shared: type[RegionScene] = RemoteScene  # mypy holds it to what a `Scene` can


def parse_answer(data: bytes, kind: type[Answer]) -> Answer:
    """Return what JSON of the service holds; `ServiceError` for what is not of this kind."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise ServiceError(f"the service's answer is not as this version knows it: {error}") from error


def parse_headers(headers: httpx.Headers, box: Box) -> RestorationFacts:
    """Return the facts about one restored box, which come in headers."""
    found = {name.removeprefix("localsr-"): value for name, value in headers.items()}
    try:
        return msgspec.convert(found | {"box": box}, RestorationFacts, strict=False)
    except msgspec.ValidationError as error:
        raise ServiceError(f"the service's answer is not as this version knows it: {error}") from error


def as_json(boxes: Sequence[Box]) -> list[dict[str, int]]:
    """Return boxes as JSON has them."""
    return [{side: getattr(box, side) for side in Box.__slots__} for box in boxes]
