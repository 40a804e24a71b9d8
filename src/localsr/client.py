"""The service from Python: what a `Restorer` and its scenes do, done by another process or machine.

Instead of `localsr.load().encode(photo)`: `localsr.Client("http://127.0.0.1:8000").encode(photo)`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from localsr import images
from localsr.errors import BoxError, ConfigError, ImageError, LocalSRError, ServiceError
from localsr.extras import need
from localsr.geometry import Enlargement, strips
from localsr.images import Canvas, Photo, Provenance, Saving, Source
from localsr.models.embedded import suiting_network
from localsr.remote_scene import RemoteScene, parse_answer
from localsr.serving.messages import OfferedNetwork

if TYPE_CHECKING:
    import httpx

    from localsr.inference.protocols import PictureEncoder

LIBRARY_ERRORS = {error.__name__: error for error in (BoxError, ConfigError, ImageError)}  # raised as they are there
BUSY_STATUSES = (429, 503)
TIMEOUTS = {"timeout": 10.0, "read": 120.0, "write": 60.0}  # s; a job may take 60 and wait as long before


class Client:
    """A service at an address. To be used in a `with`, or closed; its scenes are dropped with it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        model: str | None = None,
        scale: float | None = None,
        patience: float = 60.0,
    ) -> None:
        """Prepare to ask a service; nothing is sent yet.

        Args:
            url: The address that `localsr serve` or `localsr view` prints, as `http://127.0.0.1:8000`.
            token: The service's token, where it asks for one.
            model: The name of one of `networks()`; for None the service's default, or one for `scale`.
            scale: How many times regions are enlarged, 1 to 8; by default what the network does.
            patience: Seconds in which a busy service is asked again before `ServiceError` is raised.

        Raises:
            ConfigError: The address or the token cannot be, or httpx is not installed.

        Example:
            >>> with localsr.Client(url) as client:
            ...     scene = client.encode(photo)
            ...     scene.restore(localsr.Box(8, 8, 24, 20)).pixels.shape
            (3, 48, 64)
        """
        need("serve", "httpx", what="a client")
        import httpx

        token = token and token.strip()
        if token and not (token.isascii() and token.isprintable()):
            raise ConfigError("the token has characters that no token of a service has")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(**TIMEOUTS)
        try:
            self._http = httpx.Client(base_url=url.rstrip("/") + "/api/v1", headers=headers, timeout=timeout)
        except (httpx.InvalidURL, UnicodeEncodeError, TypeError) as error:
            raise ConfigError(f"{url!r} is no address of a service: {error}") from error
        self._model, self._scale, self._patience = model, scale, patience
        Enlargement.asked(scale)  # refuses what is none
        self._networks: dict[str, OfferedNetwork] = {}

    def __enter__(self) -> Self:
        """Return the client, for a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client at the end of a `with`."""
        self.close()

    def close(self) -> None:
        """Close the connections to the service."""
        self._http.close()

    def networks(self) -> dict[str, OfferedNetwork]:
        """Return what the service offers, by name: scale, strategies, description.

        Raises:
            ServiceError: The service refuses or cannot be reached.

        Example:
            >>> with localsr.Client(url) as client:
            ...     [network.scale for network in client.networks().values()]
            [4]
        """
        if not self._networks:
            offered = parse_answer(self.ask("GET", "/networks").content, list[OfferedNetwork])
            self._networks = {network.name: network for network in offered}
        return self._networks

    def network(self) -> OfferedNetwork:
        """Return the network that is asked; `ConfigError` for one that the service does not offer."""
        known = self.networks()
        name = self._model or next((name for name, network in known.items() if network.default), None)
        if self._model is None and name is not None and self._scale is not None:
            scales = {name: network.scale for name, network in known.items()}
            name = suiting_network(scales, self._scale, name)
        if name not in known:
            raise ConfigError(f"the service has no network {name!r}; choose one of {', '.join(known)}")
        return known[name]

    def encode(self, source: Source, *, denoise: float | None = None, deblur: float | None = None) -> RemoteScene:
        """Send a picture, and return what its regions can be asked of.

        Args:
            source: Whatever `localsr.read` takes, as `Restorer.encode` does. A file goes as it is, so does a photo's,
                damaged or not; pixels in memory and pages go as PNG, in their depth and with their metadata.
            denoise: How much noise to take away, 0 to 100, as in `Scene.adjusted`; by default as much as is measured.
            deblur: How much blur to take away, 0 to 100; by default as much as is measured.

        Returns:
            A scene that is asked as a `localsr.Scene` is.

        Raises:
            ImageError: The picture cannot be read.
            ConfigError: The service has no network of the client's `model`, or it cannot be told of noise and blur.
            ServiceError: The service refuses or cannot be reached.
        """
        photo = images.read(images.file_bytes(source))
        data = images.original(photo)
        data = encode_png(photo) if data is None else data
        scene = RemoteScene(self, photo, data, self.network(), tolerant=bool(photo.damage))
        return scene.sized(self._scale).adjusted(denoise, deblur)

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401  # httpx's options
        """Make a request, again while the service is busy; its refusals become the library's errors."""
        import httpx

        until = time.monotonic() + self._patience
        while True:
            try:
                answer = self._http.request(method, path, **request)
            except httpx.HTTPError as error:
                where, why = self._http.base_url.copy_with(path="/"), error or type(error).__name__
                raise ServiceError(f"the service at {where} cannot be reached: {why}") from error
            wait = float(answer.headers.get("retry-after", "1")) if answer.status_code in BUSY_STATUSES else 0.0
            if wait and time.monotonic() + wait < until:
                time.sleep(wait)
                continue
            if answer.status_code >= 400:
                raise refusal_error(answer)
            return answer


if TYPE_CHECKING:
    _encodes: type[PictureEncoder] = Client  # mypy holds it to what a `Restorer` can


def encode_png(photo: Photo) -> bytes:
    """Write a photo as PNG with its metadata, in strips: it need not fit in memory as floats."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        like, saving = Provenance(whole=True), Saving(provenance=False)
        with Canvas(path, photo.size, photo, like, saving, alpha=photo.has_alpha) as canvas:
            for strip in strips(photo.size):
                canvas.put(strip, photo.window(strip), photo.alpha(strip))
            canvas.finish()
        return path.read_bytes()


def refusal_error(answer: httpx.Response) -> LocalSRError:
    """Return the error that stands for a refusal: that of the library for what the library would refuse."""
    try:
        content = answer.json()
        sentence, kind = str(content["error"]), str(content["kind"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"the service answered {answer.status_code} without a reason", answer.status_code)
    if kind in LIBRARY_ERRORS:
        return LIBRARY_ERRORS[kind](sentence)
    return ServiceError(sentence, answer.status_code)
