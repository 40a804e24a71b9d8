"""A photo that a service has, whose regions are asked for as those of a scene of this process."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec

from localsr import images
from localsr.conditions import Conditions
from localsr.errors import ConfigError, ServiceError
from localsr.files import write_whole
from localsr.geometry import Box, whole
from localsr.images import FORMATS, Photo, Saving
from localsr.inference.cost import CostEstimate
from localsr.inference.paste import Pasting
from localsr.inference.region_scene import RegionScene, Restorations
from localsr.inference.restoration import Attention, Restoration
from localsr.inference.strategies import Strategy
from localsr.progress import Progress
from localsr.serving.messages import AttentionFacts, ConditionFacts, OfferedNetwork, RestorationFacts, StrategyCost

if TYPE_CHECKING:
    import httpx

Answer = TypeVar("Answer")
SUFFIXES = {"jpeg": "jpg", "tiff": "tif", "png": "png", "webp": "webp", "avif": "avif"}  # as the API calls them
MAX_SENT_NAME = 200  # characters that the service keeps


class _Index(msgspec.Struct):
    """What the index of a zip says."""

    pictures: list[_Entry]


class _Entry(RestorationFacts, frozen=True, kw_only=True):
    """A picture in a zip."""

    name: str


class _Upload(msgspec.Struct):
    """What is needed of the answer to an upload."""

    id: str


class ServiceConnection(Protocol):
    """What a scene needs of a `Client`."""

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401  # httpx's options
        """Make a request; `ServiceError` where the service refuses or cannot be reached."""


class _RemoteNetwork(NamedTuple):
    """A network of the service, with its plain twin."""

    name: str
    scale: int
    strategies: list[Strategy]
    default: str
    conditioned: bool

    def choose(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that is asked for, or the default; `ConfigError` for one that cannot run."""
        strategy = Strategy.named(self.default if asked is None else asked)
        if strategy not in self.strategies:
            raise ConfigError(f"{self.name} cannot run {strategy}; choose {', '.join(self.strategies)}")
        return strategy


class RemoteScene(RegionScene):
    """A photo that a service has, whose regions are asked for as those of a `Scene`.

    Pixels are rounded to the photo's depth on their way, and `paste` writes no BMP. Boxes are checked here and raise
    `BoxError`; a strategy that the network cannot run raises `ConfigError`, and so does `share`: a service restores
    every region by itself. One that refuses or cannot be reached raises `ServiceError`.
    """

    def __init__(
        self, client: ServiceConnection, photo: Photo, data: bytes, network: OfferedNetwork, *, tolerant: bool = False
    ) -> None:
        """Send the picture; most callers want `Client.encode`."""
        strategies = [Strategy(strategy) for strategy in network.strategies]
        offer = (network.name, network.scale, strategies, network.default_strategy, network.conditioned)
        super().__init__(photo, _RemoteNetwork(*offer))
        self._client, self._data, self._tolerant = client, data, tolerant
        self._found: Conditions | None = None
        self._id = self._send()

    def _restorations(
        self, boxes: Sequence[Box], strategy: Strategy, progress: Progress | None, *, share: bool, together: bool
    ) -> Restorations:
        """Restore boxes by one request `together`, or by one request after the other."""
        _refuse_shared(share)
        return self._requests(boxes, strategy, progress, max(len(boxes), 1) if together else 1)

    def _requests(
        self, boxes: Sequence[Box], strategy: Strategy, progress: Progress | None, count: int
    ) -> Restorations:
        """Ask for `count` boxes at a time."""
        for first in range(0, len(boxes), count):
            found = self._restore(boxes[first : first + count], strategy)
            if progress is not None:
                progress(sum(box.area for box in boxes[: first + count]), sum(box.area for box in boxes))
            yield from enumerate(found, first)

    def _measured(self) -> Conditions:
        """Ask how the photo was degraded, once."""
        if self._found is None:
            facts = parse_answer(self._ask("conditions").content, ConditionFacts)
            self._found = Conditions(facts.noise, facts.blur, facts.compression)
        return self._found

    def _costs(self, boxes: Sequence[Box], *, share: bool) -> dict[Strategy, CostEstimate]:
        """Ask what boxes would cost there; the scene is counted with them."""
        _refuse_shared(share)
        found = parse_answer(
            self._ask("cost", boxes=as_json(boxes), **self._as_asked()).content, dict[str, StrategyCost]
        )
        return {Strategy(name): CostEstimate(c.gflops, 0.0, c.seconds, c.megabytes) for name, c in found.items()}

    def _attention(self, box: Box) -> Attention:
        """Ask which of the sampled patches the network draws on for a box."""
        found = parse_answer(self._ask("attention", box=as_json([box])[0]).content, AttentionFacts)
        patches = [Box(patch.left, patch.top, patch.right, patch.bottom) for patch in found.patches]
        return Attention(box, patches, [patch.weight for patch in found.patches])

    def _paste(
        self,
        path: str | PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy,
        how: Pasting,
        progress: Progress | None,
        saving: Saving,
    ) -> None:
        """Write the picture as the service makes it; `progress` hears of it once all is done."""
        kind = SUFFIXES.get(FORMATS.get(Path(path).suffix.lower(), ""))
        if kind is None:
            raise ConfigError(f"{path} must end in .{', .'.join(SUFFIXES.values())}")
        asked = {"feather": how.feather, "same_size": how.same_size, "format": kind, "strategy": str(strategy)}
        asked |= dataclasses.asdict(saving) | self._asked_adjustment
        asked |= {} if how.same_size else self._as_asked()
        write_whole(path, self._ask("paste", boxes=as_json(boxes), **asked).content)
        if progress is not None:
            total = whole(self.photo.size).area + sum(box.area for box in boxes)
            progress(total, total)

    @property
    def _asked_adjustment(self) -> dict[str, float]:
        """What of `denoise` and `deblur` is to be sent; earlier versions of the service know neither."""
        return {name: value for name, value in self._adjustment._asdict().items() if value is not None}

    def close(self) -> None:
        """Let the service forget the picture."""
        self._client.ask("DELETE", f"/pictures/{self._id}")

    def _send(self) -> str:
        """Send the picture, and return its id there."""
        name = self.photo.name.encode(errors="replace").decode()[:MAX_SENT_NAME] or "picture"
        answer = self._client.ask(
            "POST",
            "/pictures",
            params={"name": name} | ({"tolerant": True} if self._tolerant else {}),
            content=self._data,
        )
        return parse_answer(answer.content, _Upload).id

    def _ask(self, what: str, **asked: Any) -> httpx.Response:  # noqa: ANN401  # JSON
        """Ask about the picture; send it again if the service has dropped it meanwhile."""
        asked["network"] = self._networks.name
        try:
            return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)
        except ServiceError as error:
            if error.status != 404:
                raise
        self._id = self._send()
        return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)

    def _as_asked(self) -> dict[str, Any]:
        """Return how large results are to be, nothing for what the network does."""
        if self._asked is None:
            return {}
        if self._asked.scale is not None:
            return {"scale": self._asked.scale}
        return {"size": f"{self._asked.width or ''}x{self._asked.height or ''}"}

    def _restore(self, boxes: Sequence[Box], strategy: Strategy) -> list[Restoration]:
        """Restore boxes, one or more, in one request."""
        how = self._as_asked() | self._asked_adjustment
        answer = self._ask("restorations", boxes=as_json(boxes), strategy=str(strategy), **how)
        if len(boxes) == 1:
            facts = parse_headers(answer.headers, boxes[0])
            return [self._restoration(answer.content, boxes[0], facts)]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
            index = parse_answer(bundle.read("index.json"), _Index).pictures
            return [self._restoration(bundle.read(e.name), box, e) for box, e in zip(boxes, index, strict=True)]

    def _restoration(self, data: bytes, box: Box, facts: RestorationFacts) -> Restoration:
        """Return what the library would for a box, from its picture."""
        picture = images.read(data)
        if picture.size != self.size_of(box):
            raise ServiceError(f"the service answered {picture.size} px for box {box} at {self.enlargement}")
        pixels, alpha = picture.window(whole(picture.size)), picture.alpha(whole(picture.size))
        made = (Strategy(facts.strategy), facts.network, facts.precision, facts.seconds)
        told = picture.provenance
        factor = self.enlargement.factor(box.size)
        if told is None:
            return Restoration(pixels, alpha, box, factor, *made, self.photo)
        conditions = Conditions(*told.told) if told.told else None
        return Restoration(pixels, alpha, box, factor, *made, self.photo, told.network_sha256, conditions)


def _refuse_shared(share: bool) -> None:
    """Raise `ConfigError` for what a service does not do."""
    if share:
        raise ConfigError("a service restores every region by itself; leave share out")


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
