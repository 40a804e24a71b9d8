"""What goes in and out as JSON: the API's shapes, checked by pydantic and told by OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["png", "tif", "webp", "jpg"]
Whole = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Name = Annotated[str | None, Field(max_length=200, description="As `networks` and their `strategies` name them.")]
MEDIA = {"png": "image/png", "tif": "image/tiff", "webp": "image/webp", "jpg": "image/jpeg", "zip": "application/zip"}


class Shape(BaseModel):
    """Takes what it knows and nothing else."""

    model_config = ConfigDict(extra="forbid")


class BoxSides(Shape):
    """Columns `left..right-1`, rows `top..bottom-1` of the upright picture, in its own pixels."""

    left: Whole
    top: Whole
    right: Annotated[int, Field(strict=True, ge=1, lt=2**31)]
    bottom: Annotated[int, Field(strict=True, ge=1, lt=2**31)]

    @property
    def sides(self) -> list[int]:
        """The four."""
        return [self.left, self.top, self.right, self.bottom]


class Asked(Shape):
    """Boxes, and the network that is to see to them."""

    boxes: Annotated[list[BoxSides], Field(min_length=1)]
    network: Name = None


class Restore(Asked):
    """Boxes to restore."""

    strategy: Name = None
    format: Format = "png"


class Paste(Restore):
    """Boxes to restore and put back."""

    feather: Annotated[int, Field(strict=True, ge=0, le=256, description="Pixels over which a box fades in.")] = 4
    same_size: Annotated[bool, Field(strict=True, description="Keep the picture's own size.")] = False


class Look(Shape):
    """A box to tell the attention of."""

    box: BoxSides
    network: Name = None


class Refusal(BaseModel):
    """Why there is no answer."""

    error: Annotated[str, Field(description="A sentence for whoever asked.")]
    kind: Annotated[str, Field(description="The error of the library that it stands for.")]
    request: Annotated[str, Field(description="The id that the service's log has for this request.")]


class Tiles(BaseModel):
    """The Deep Zoom pyramid of a picture."""

    size: int
    levels: int


class Picture(BaseModel):
    """A picture that can be asked about."""

    id: str
    name: str
    width: int
    height: int
    depth: Annotated[int, Field(description="Bits: 8 or 16.")]
    alpha: bool
    tiles: Tiles


class Session(BaseModel):
    """What this service is."""

    picture: Annotated[str | None, Field(description="The picture that the service was started on.")]
    limits: dict[str, float]
    version: str


class Network(BaseModel):
    """A network that can be asked for."""

    name: str
    scale: int
    strategies: list[str]
    default: bool
    description: str


class Bill(BaseModel):
    """What boxes cost by one strategy."""

    gflops: float
    seconds: float
    megabytes: float


class Patch(BaseModel):
    """A patch and its share of the attention."""

    left: int
    top: int
    right: int
    bottom: int
    weight: float


class Attention(BaseModel):
    """Where a box's context came from."""

    box: BoxSides
    patches: list[Patch]


class Health(BaseModel):
    """How the service is."""

    status: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the refusals that a route may give, those of any route among them."""
    told = {
        400: "Not HTTP as it should be, or a Host header that names another machine",
        401: "No token, or a wrong one",
        403: "A page of another site has asked",
        404: "No such picture",
        408: "The request came too slowly",
        409: "Not possible for this picture",
        413: "More than a limit allows",
        422: "Not what can be asked for",
        429: "The queue is full; ask again after Retry-After",
        500: "A fault of the service",
        503: "No worker, or it has died; ask again after Retry-After",
        504: "The work took too long",
        507: "The disk is full",
    }
    always = (400, 401, 403, 408, 500)
    return {status: {"model": Refusal, "description": told[status]} for status in sorted({*always, *statuses})}
