"""The service from Python: what a `Restorer` and its scenes do, done by another process or machine.

Instead of `localsr.Restorer.load().encode(photo)`: `localsr.Client("http://127.0.0.1:8000").encode(photo)`.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from localsr import errors, images
from localsr.errors import BoxError, ConfigError, ImageError, LocalSRError, ServiceError
from localsr.extras import need
from localsr.files import write_whole
from localsr.geometry import Box, checked_boxes, strips, whole
from localsr.images import FORMATS, Canvas, Photo, Source
from localsr.inference.paste import Pasting
from localsr.inference.restoration import Attention, Bill, Restoration
from localsr.inference.strategies import Strategy

if TYPE_CHECKING:
    import httpx

SUFFIXES = {"jpeg": "jpg", "tiff": "tif", "png": "png", "webp": "webp"}  # as the API calls them
BUSY = (429, 503)
TIMEOUT = {"timeout": 10.0, "read": 120.0, "write": 60.0}  # s; a job may take 60 and wait as long before


class Client:
    """A service at an address. To be used in a `with`, or closed; its scenes are dropped with it."""

    def __init__(self, url: str, *, token: str | None = None, model: str | None = None, patience: float = 60.0) -> None:
        """Take the service's address and, where it asks for one, its token.

        `model` is one of `networks()`, its default for None; `patience` the seconds in which a busy service is asked
        again.
        """
        need("serve", "httpx", what="a client")
        import httpx

        token = token and token.strip()
        if token and not (token.isascii() and token.isprintable()):
            raise ConfigError("the token has characters that no token of a service has")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        wait = httpx.Timeout(**TIMEOUT)
        try:
            self._http = httpx.Client(base_url=url.rstrip("/") + "/api/v1", headers=headers, timeout=wait)
        except (httpx.InvalidURL, UnicodeEncodeError, TypeError) as error:
            raise ConfigError(f"{url!r} is no address of a service: {error}") from error
        self._model, self._patience = model, patience
        self._networks: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def networks(self) -> dict[str, dict[str, Any]]:
        """Give what the service offers, by name: scale, strategies, description."""
        if not self._networks:
            self._networks = {each["name"]: each for each in self.ask("GET", "/networks").json()}
        return self._networks

    def network(self) -> dict[str, Any]:
        """Give the network that is asked; `ConfigError` for one that the service has not."""
        known = self.networks()
        name = self._model or next(name for name, each in known.items() if each["default"])
        if name not in known:
            raise ConfigError(f"the service has no network {name!r}; choose one of {', '.join(known)}")
        return known[name]

    def encode(self, source: Source | Photo) -> RemoteScene:
        """Send a picture (whatever `localsr.read` takes, or what it gave) and give what boxes can be asked of.

        A file goes as it is; other pictures go as PNG, in their own depth.
        """
        photo = source if isinstance(source, Photo) else images.read(source)
        if isinstance(source, str | os.PathLike):
            try:
                data = Path(source).read_bytes()
            except OSError as error:
                raise ImageError(f"{source} cannot be read: {error.strerror}") from error
        else:
            data = source if isinstance(source, bytes) else encoded(photo)
        return RemoteScene(self, photo, data, self.network())

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401  # httpx's options
        """Ask, and ask again while the service is busy; its refusals become the library's errors."""
        import httpx

        until = time.monotonic() + self._patience
        while True:
            try:
                answer = self._http.request(method, path, **request)
            except httpx.HTTPError as error:
                where = self._http.base_url.copy_with(path="/")
                raise ServiceError(
                    f"the service at {where} cannot be reached: {error or type(error).__name__}"
                ) from error
            wait = float(answer.headers.get("retry-after", "1")) if answer.status_code in BUSY else 0.0
            if wait and time.monotonic() + wait < until:
                time.sleep(wait)
                continue
            if answer.status_code >= 400:
                raise refused(answer)
            return answer


class RemoteScene:
    """A photo that a service has; it asks as `Scene` does. The pixels are rounded to the photo's depth on their way."""

    def __init__(self, client: Client, photo: Photo, data: bytes, network: Mapping[str, Any]) -> None:
        """Send the picture."""
        self.photo = photo
        self._client, self._data, self._network = client, data, network
        self._id = self._sent()

    @property
    def scale(self) -> int:
        """How many times a region is enlarged."""
        return int(self._network["scale"])

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run there."""
        return [Strategy(way) for way in self._network["strategies"]]

    @overload
    def restore(self, boxes: Box, strategy: Strategy | str | None = ..., *, clip: bool = ...) -> Restoration: ...

    @overload
    def restore(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = ..., *, clip: bool = ...
    ) -> list[Restoration]: ...

    def restore(
        self, boxes: Box | Sequence[Box], strategy: Strategy | str | None = None, *, clip: bool = False
    ) -> Restoration | list[Restoration]:
        """Restore one box, or a list of boxes, as `Scene.restore` does."""
        if isinstance(boxes, Box):
            return self.restore([boxes], strategy, clip=clip)[0]
        if not boxes:
            return []
        inside = checked_boxes(boxes, self.photo.size, clip=clip)
        answer = self._ask("restorations", boxes=_told(inside), strategy=strategy and str(strategy))
        if len(inside) == 1:
            facts = {key: answer.headers[f"localsr-{key}"] for key in ("strategy", "network", "seconds")}
            return [self._made(answer.content, inside[0], facts)]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
            index = json.loads(bundle.read("index.json"))["pictures"]
            return [self._made(bundle.read(f["name"]), box, f) for box, f in zip(inside, index, strict=True)]

    def stream(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = None, *, clip: bool = False
    ) -> Iterator[tuple[int, Restoration]]:
        """Restore boxes one by one, and give each one's number and restoration as soon as it is there."""
        inside = checked_boxes(boxes, self.photo.size, clip=clip)
        return ((number, self.restore(box, strategy)) for number, box in enumerate(inside))

    def cost(self, boxes: Sequence[Box]) -> dict[Strategy, Bill]:
        """Tell what restoring boxes would cost there, by strategy; the scene counted with the boxes."""
        found = self._ask("cost", boxes=_told(checked_boxes(boxes, self.photo.size))).json()
        return {Strategy(w): Bill(b["gflops"], 0.0, b["seconds"], b["megabytes"]) for w, b in found.items()}

    def attention(self, box: Box) -> Attention:
        """Tell which of the sampled patches the network draws on for a box."""
        (inside,) = checked_boxes(box, self.photo.size)
        found = self._ask("attention", box=_told([inside])[0]).json()["patches"]
        return Attention(inside, [Box(*(p[k] for k in Box.__slots__)) for p in found], [p["weight"] for p in found])

    def paste(
        self,
        path: str | os.PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        how: Pasting = Pasting(),  # noqa: B008  # frozen
    ) -> None:
        """Write the picture with its boxes restored, as `localsr.inference.paste.paste` does; not as BMP."""
        kind = SUFFIXES.get(FORMATS.get(Path(path).suffix.lower(), ""))
        if kind is None:
            raise ConfigError(f"{path} must end in .{', .'.join(SUFFIXES.values())}")
        asked = {"feather": how.feather, "same_size": how.same_size, "format": kind}
        way = strategy and str(strategy)
        inside = _told(checked_boxes(boxes, self.photo.size))
        write_whole(path, self._ask("paste", boxes=inside, strategy=way, **asked).content)

    def close(self) -> None:
        """Let the service forget the picture."""
        self._client.ask("DELETE", f"/pictures/{self._id}")

    def _sent(self) -> str:
        """Send the picture and give its id there."""
        name = self.photo.name.encode(errors="replace").decode()[:200] or "picture"
        return str(self._client.ask("POST", "/pictures", params={"name": name}, content=self._data).json()["id"])

    def _ask(self, what: str, **asked: Any) -> httpx.Response:  # noqa: ANN401  # JSON
        """Ask about the picture; send it again if the service has dropped it meanwhile."""
        asked["network"] = self._network["name"]
        try:
            return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)
        except ServiceError as error:
            if error.status != 404:
                raise
        self._id = self._sent()
        return self._client.ask("POST", f"/pictures/{self._id}/{what}", json=asked)

    def _made(self, data: bytes, box: Box, facts: Mapping[str, Any]) -> Restoration:
        """Turn an answer into what the library gives."""
        picture = images.read(data)
        if picture.size != box.scaled(self.scale).size:
            raise ServiceError(f"the service answered {picture.size} px for box {box} at x{self.scale}")
        pixels, alpha = picture.window(whole(picture.size)), picture.alpha(whole(picture.size))
        way, network, seconds = Strategy(facts["strategy"]), str(facts["network"]), float(facts["seconds"])
        return Restoration(pixels, alpha, box, self.scale, way, network, "fp32", seconds, self.photo)


def encoded(photo: Photo) -> bytes:
    """Write a photo as PNG, in strips: it need not fit in memory as floats."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        with Canvas(path, photo.size, photo, alpha=photo.has_alpha) as canvas:
            for strip in strips(photo.size):
                canvas.put(strip, photo.window(strip), photo.alpha(strip))
            canvas.finish()
        return path.read_bytes()


def refused(answer: httpx.Response) -> LocalSRError:
    """Give the error that stands for an answer: that of the library for what the library would refuse."""
    try:
        told = answer.json()
        sentence, kind = str(told["error"]), str(told["kind"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"the service answered {answer.status_code} without a reason", answer.status_code)
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, LocalSRError) and known in (BoxError, ConfigError, ImageError):
        return known(sentence)
    return ServiceError(sentence, answer.status_code)


def _told(boxes: Sequence[Box]) -> list[dict[str, int]]:
    """Give boxes as JSON has them."""
    return [{side: getattr(box, side) for side in Box.__slots__} for box in boxes]
