"""What goes in and out as JSON: the API's shapes, checked by pydantic and described by OpenAPI.

A shape's title is its name in OpenAPI, which clients may have made code from.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from localsr.conditions import Adjustment
from localsr.geometry import MAX_SCALE
from localsr.images import Saving
from localsr.serving.messages import Sides

PictureFormat = Literal["png", "tif", "webp", "jpg", "avif"]
MediaFormat = Literal["png", "tif", "webp", "jpg", "avif", "zip"]
Coordinate = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
End = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Name = Annotated[str | None, Field(max_length=200, description="As `networks` and their `strategies` name them.")]
FrameCount = Annotated[
    int, Field(strict=True, ge=1, le=33, description="Of a clip: from how many frames a region may be made.")
]
Share = Annotated[
    float | None,
    Field(strict=True, ge=0, le=100, description="How much to take away; null for as much as was measured."),
]
MEDIA_TYPES: dict[MediaFormat, str] = {
    "png": "image/png",
    "tif": "image/tiff",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "avif": "image/avif",
    "zip": "application/zip",
}
REFUSED = {
    400: "Not HTTP as it should be, or a Host header that names another machine",
    401: "No token, or a wrong one",
    403: "A page of another site has asked",
    404: "No such picture",
    408: "The request came too slowly",
    409: "Not possible for this picture",
    413: "More than a limit allows",
    414: "An address that is too long",
    422: "Not what can be asked for",
    429: "The queue is full; ask again after Retry-After",
    431: "Headers that are too many or too long",
    500: "A fault of the service",
    503: "No worker, or it has died; ask again after Retry-After",
    504: "The work took too long",
    507: "The disk is full",
}
REFUSED_ANYWHERE = (400, 401, 403, 408, 414, 431, 500)


class RequestBody(BaseModel):
    """A body whose fields are all known."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:  # noqa: ANN401  # JSON
        """Refuse the first unknown field; pydantic would tell of each, 87 ms for 20,000."""
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    raise ValueError(f"there is no field {name[:40]!r}; there are {', '.join(cls.model_fields)}")
        return given


class BoxSides(RequestBody):
    """Columns `left..right-1`, rows `top..bottom-1` of the upright picture, in its own pixels."""

    left: Coordinate
    top: Coordinate
    right: End
    bottom: End

    @property
    def sides(self) -> Sides:
        """The four sides, as messages have them."""
        return self.left, self.top, self.right, self.bottom


class BoxesRequest(RequestBody, title="Asked"):
    """Boxes, the network that is to restore them, and how large the results are to be."""

    boxes: Annotated[list[BoxSides], Field(min_length=1, fail_fast=True)]  # 1 MB of wrong ones: 12 s and 1.7 GB
    network: Name = None
    scale: Annotated[
        float | None, Field(ge=1, le=MAX_SCALE, description="How many times enlarged; by default as the network does.")
    ] = None
    size: Annotated[
        str | None,
        Field(pattern=r"^(\d{1,6}x\d{0,6}|x\d{1,6})$", description="Or pixels: 1200x, x800 or 1200x800."),
    ] = None


class MethodRequest(BoxesRequest, title="Method"):
    """Boxes, and how they are restored and written."""

    strategy: Name = None
    format: PictureFormat = "png"
    quality: Annotated[int | None, Field(strict=True, ge=1, le=100, description="Of a lossy format.")] = None
    metadata: Annotated[bool, Field(strict=True, description="Carry on what the camera said.")] = True
    provenance: Annotated[bool, Field(strict=True, description="Say in the picture how it was made.")] = True
    denoise: Share = None
    deblur: Share = None

    @property
    def saving(self) -> Saving:
        """How the answer's files are written."""
        return Saving(self.quality, self.metadata, self.provenance)

    @property
    def adjustment(self) -> Adjustment:
        """What is to be taken away."""
        return Adjustment(self.denoise, self.deblur)


class RestoreRequest(MethodRequest, title="Restore"):
    """Boxes to restore."""

    frames: FrameCount = 1


class FramesRequest(RequestBody, title="Frames"):
    """A box of a clip whose frames are wanted."""

    box: BoxSides
    network: Name = None
    frames: FrameCount = 9


class PasteRequest(MethodRequest, title="Paste"):
    """Boxes to restore and put back."""

    feather: Annotated[int, Field(strict=True, ge=0, le=256, description="Pixels over which a box fades in.")] = 4
    same_size: Annotated[bool, Field(strict=True, description="Keep the picture's own size.")] = False


class AttentionRequest(RequestBody, title="Look"):
    """A box whose attention is wanted."""

    box: BoxSides
    network: Name = None


class ConditionsRequest(RequestBody, title="Condition"):
    """What is to be told how the picture was degraded."""

    network: Name = None


class RefusalAnswer(BaseModel, title="Refusal"):
    """Why there is no other answer."""

    error: Annotated[str, Field(description="A sentence for whoever asked.")]
    kind: Annotated[str, Field(description="The error of the library that it stands for.")]
    request: Annotated[str, Field(description="The id that the service's log has for this request.")]


class TilesAnswer(BaseModel, title="Tiles"):
    """The Deep Zoom pyramid of a picture."""

    size: int
    levels: int


class ClipAnswer(BaseModel, title="Clip"):
    """How long a clip is; a moment of it is a picture, whose id is the clip's, `~` and the seconds."""

    seconds: float
    rate: float


class FrameAnswer(BaseModel, title="Frame"):
    """What a frame beside a moment of a clip brings to a box."""

    name: str
    used: bool
    reason: Annotated[str, Field(description="Why it is not used.")]
    correlation: float
    motion: Annotated[list[float], Field(description="Of the region against the moment's frame: x, y in pixels.")]
    picture: Annotated[str, Field(description="What it shows of the box, as a data URL; empty for one not used.")]


class PictureAnswer(BaseModel, title="Picture"):
    """A picture that can be asked about."""

    id: str
    name: str
    width: int
    height: int
    depth: Annotated[int, Field(description="Bits: 8 or 16.")]
    alpha: bool
    notes: Annotated[list[str], Field(description="What is odd with its file, in sentences.")]
    tiles: TilesAnswer
    clip: ClipAnswer | None


class SessionAnswer(BaseModel, title="Session"):
    """What this service is."""

    picture: Annotated[str | None, Field(description="The picture that the service was started on.")]
    denoise: Annotated[float | None, Field(description="That the page starts with; null for as much as measured.")]
    deblur: Annotated[float | None, Field(description="Likewise.")]
    limits: dict[str, float]
    version: str


class NetworkAnswer(BaseModel, title="Network"):
    """A network that can be asked for."""

    name: str
    scale: int
    strategies: list[str]
    default: bool
    description: str
    default_strategy: Annotated[str, Field(description="The strategy that runs where none is named.")]
    attention: Annotated[bool, Field(description="Whether `attention` can be asked of it.")]
    conditioned: Annotated[bool, Field(description="Whether `denoise` and `deblur` can be asked of it.")]


class CostAnswer(BaseModel, title="Bill"):
    """What boxes cost by one strategy."""

    gflops: float
    seconds: float
    megabytes: float


class PatchAnswer(BaseModel, title="Patch"):
    """A patch and its share of the attention."""

    left: int
    top: int
    right: int
    bottom: int
    weight: float
    radius: Annotated[float, Field(description="Of a circle whose area grows with it, in pixels.")]


class AttentionAnswer(BaseModel, title="Attention"):
    """Where a box's context came from."""

    box: BoxSides
    patches: list[PatchAnswer]


class ConditionsAnswer(BaseModel, title="Conditions"):
    """How a picture was degraded, as measured over all of it."""

    noise: Annotated[float, Field(description="Standard deviation in the luminance, levels of 255.")]
    blur: Annotated[float, Field(description="Standard deviation, pixels; negative for a sharpened picture.")]
    compression: Annotated[float, Field(description="100 less the quality of the JPEG; 0 for none.")]
    denoise: Annotated[float, Field(description="The `denoise` that stands for it, 0 to 100.")]
    deblur: Annotated[float, Field(description="The `deblur` that stands for it, 0 to 100.")]
    described: Annotated[str, Field(description="All of it in words.")]


class HealthAnswer(BaseModel, title="Health"):
    """How the service is."""

    status: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals that a route may give for OpenAPI, those of any route among them."""
    wanted = sorted({*REFUSED_ANYWHERE, *statuses})
    return {status: {"model": RefusalAnswer, "description": REFUSED[status]} for status in wanted}
