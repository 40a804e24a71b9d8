"""The API, version 1: no endpoint takes a path or a URL, and all work is done by the pool."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar, get_args

from fastapi import APIRouter, Path, Query, Request, Response
from msgspec.structs import asdict

from localsr import __version__
from localsr.conditions import Adjustment
from localsr.geometry import MAX_SCALE, Box
from localsr.serving import messages, schemas
from localsr.serving.messages import PasteFacts, PictureFacts, RestorationFacts, Sides
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.schemas import MEDIA_TYPES, BoxSides, MediaFormat, refusals
from localsr.serving.store import MAX_NAME_LENGTH, Store
from localsr.serving.transfers import FileAnswer, save_body, while_connected

Result = TypeVar("Result")
NO_RESULT = type(None)  # of tasks that make a file and have nothing to say about it
WORK_REFUSALS = (404, 413, 422, 429, 503, 504, 507)  # what work on a picture may be refused for
FACT_HEADERS = {
    f"Localsr-{name}": {"description": description, "schema": {"type": kind}}
    for name, description, kind in (
        ("Box", "left,top,right,bottom as restored", "string"),
        ("Scale", "how many times enlarged", "integer"),
        ("Strategy", "how the region was fed to the network", "string"),
        ("Network", "which one", "string"),
        ("Seconds", "of the work", "number"),
        ("Gflops", "of the work", "number"),
        ("Frames", "that it was made from", "integer"),
        ("Precision", "that the pixels were computed in: fp32, bf16 or fp16", "string"),
    )
}
PictureId = Annotated[str, Path(max_length=64, description="A picture's id; of a clip also ID~SECONDS, a moment.")]
FORMATS: tuple[MediaFormat, ...] = get_args(schemas.PictureFormat)
Side = Annotated[int, Query(ge=0, lt=2**31)]


class PictureWork:
    """What the routes let the pool do for a request, as long as its client waits."""

    def __init__(self, pool: Pool, store: Store) -> None:
        """Work by `pool` on the pictures of `store`."""
        self.pool, self.store = pool, store

    def about(self, request: Request, key: str) -> tuple[messages.PictureFile, str]:
        """Return what every task says of its picture and its request; 404 for no such picture."""
        return self.store.get(key).file, request.state.id

    def sides(self, boxes: Sequence[BoxSides]) -> list[Sides]:
        """Return boxes as messages have them; 413 for more than the limit."""
        most = self.pool.limits.boxes
        if len(boxes) > most:
            raise Problem(413, f"{len(boxes)} boxes were asked for; at most {most} are taken at once")
        return [box.sides for box in boxes]

    def writing(self, request: Request, key: str, asked: schemas.MethodRequest) -> dict[str, Any]:
        """Return the fields of a `WritingTask`."""
        boxes, (picture, number) = self.sides(asked.boxes), self.about(request, key)
        names = ("network", "scale", "size", "strategy", "format", "saving", "adjustment")
        return {"picture": picture, "request": number, "boxes": boxes} | {name: getattr(asked, name) for name in names}

    async def run(self, request: Request, task: messages.WorkerTask, result: type[Result]) -> tuple[Result, FilePath]:
        """Do a task, and return its result and the folder of its files; 404 for a picture that is dropped meanwhile."""
        try:
            return await while_connected(request, self.pool.run(task, result))
        except Problem:
            if not isinstance(task, messages.OpenTask):  # of a picture that is not in the store yet
                self.store.get(task.picture.id)
            raise

    async def facts(self, request: Request, task: messages.WorkerTask, result: type[Result]) -> Result:
        """Do a task that makes no file, and return its result."""
        found, folder = await self.run(request, task, result)
        shutil.rmtree(folder, ignore_errors=True)
        return found


def make_router(pool: Pool, store: Store, started_on: str | None, adjustment: Adjustment) -> APIRouter:
    """Return the routes over a pool and a store; their names and docstrings are part of OpenAPI, which clients read."""
    api, work = APIRouter(prefix="/api/v1"), PictureWork(pool, store)
    _add_service_routes(api, pool, {"picture": started_on, **adjustment._asdict()})
    _add_picture_routes(api, work)
    _add_pixel_routes(api, work)
    _add_whole_routes(api, work)
    return api


def _add_service_routes(api: APIRouter, pool: Pool, start: dict[str, Any]) -> None:
    """Add what describes the service."""

    @api.get("/session", response_model=schemas.SessionAnswer, responses=refusals())
    async def session() -> dict[str, Any]:
        """Return the picture that the service was started on, and its limits."""
        return {**start, "limits": vars(pool.limits), "version": __version__}

    @api.get("/networks", response_model=list[schemas.NetworkAnswer], responses=refusals(503))
    async def networks() -> list[messages.OfferedNetwork]:
        """List the networks that can be asked for."""
        return await pool.known_networks()


def _add_picture_routes(api: APIRouter, work: PictureWork) -> None:
    """Add what brings, describes and drops pictures."""
    store = work.store

    @api.post(
        "/pictures",
        status_code=201,
        response_model=schemas.PictureAnswer,
        responses=refusals(413, 422, 429, 503, 504, 507),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=MAX_NAME_LENGTH)] = "picture",
        tolerant: Annotated[bool, Query(description="Read a damaged one as far as it goes.")] = False,
    ) -> dict[str, Any]:
        """Take a JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP or a clip as the raw body; answers call it `name`."""
        picture = store.new(name, tolerant=tolerant)
        declared = request.headers.get("content-length")
        with store.reserve(None if declared is None else int(declared)):
            picture.bytes = await save_body(request, picture.path)
            try:
                task = messages.OpenTask(picture.file, request.state.id)
                picture.facts = await work.facts(request, task, PictureFacts)
            except BaseException:
                picture.path.unlink(missing_ok=True)
                raise
        store.add(picture)
        return picture.as_dict()

    @api.get("/pictures/{key}", response_model=schemas.PictureAnswer, responses=refusals(404))
    async def picture(key: PictureId) -> dict[str, Any]:
        """Describe a picture."""
        return store.get(key).as_dict()

    @api.delete("/pictures/{key}", status_code=204, responses=refusals(404, 409))
    async def remove(key: PictureId) -> Response:
        """Forget a picture at once."""
        store.remove(key)
        return Response(status_code=204)


def _add_pixel_routes(api: APIRouter, work: PictureWork) -> None:
    """Add what answers with pixels of a part of a picture."""

    @api.get(
        "/pictures/{key}/tiles/{level}/{column}_{row}.jpg",
        response_class=Response,
        responses=picture_response("jpg") | refusals(*WORK_REFUSALS),
    )
    async def tile(
        request: Request,
        key: PictureId,
        level: Annotated[int, Path(ge=0, lt=64)],
        column: Annotated[int, Path(ge=0, lt=2**31)],
        row: Annotated[int, Path(ge=0, lt=2**31)],
    ) -> Response:
        """Return a tile of the upright picture's Deep Zoom pyramid: level 0 has one pixel, the last level all."""
        found = work.store.get(key)
        if level >= found.facts.tiles.levels:
            raise Problem(422, f"there is no level {level}; this picture has {found.facts.tiles.levels}")
        task = messages.TileTask(found.file, request.state.id, level, column, row)
        _, folder = await work.run(request, task, NO_RESULT)
        return FileAnswer(folder / "result.jpg", MEDIA_TYPES["jpg"], {"cache-control": "private, max-age=600"})

    @api.post(
        "/pictures/{key}/restorations",
        response_class=Response,
        responses=picture_response(*FORMATS, "zip", headers=FACT_HEADERS) | refusals(*WORK_REFUSALS),
    )
    async def restore(request: Request, key: PictureId, asked: schemas.RestoreRequest) -> Response:
        """Restore boxes: the picture for one, a zip with an `index.json` for several; of a clip from several frames."""
        task = messages.RestoreTask(**work.writing(request, key, asked), frames=asked.frames)
        found, folder = await work.run(request, task, RestorationFacts)
        kind: MediaFormat = asked.format if len(task.boxes) == 1 else "zip"
        return FileAnswer(folder / f"result.{kind}", MEDIA_TYPES[kind], fact_headers(found))

    @api.post("/pictures/{key}/frames", response_model=list[schemas.FrameAnswer], responses=refusals(*WORK_REFUSALS))
    async def frames(request: Request, key: PictureId, asked: schemas.FramesRequest) -> list[messages.FrameFacts]:
        """Return what the frames around a moment of a clip show of a box, and which of them are used."""
        task = messages.StripTask(*work.about(request, key), [asked.box.sides], asked.network, None, None, asked.frames)
        return await work.facts(request, task, list[messages.FrameFacts])

    @api.get(
        "/pictures/{key}/bicubic",
        response_class=Response,
        responses=picture_response("png") | refusals(*WORK_REFUSALS),
    )
    async def bicubic(
        request: Request,
        key: PictureId,
        left: Side,
        top: Side,
        right: Side,
        bottom: Side,
        scale: Annotated[float, Query(ge=1, le=MAX_SCALE)],
    ) -> Response:
        """Enlarge a box by bicubic, to compare with."""
        task = messages.BicubicTask(*work.about(request, key), (left, top, right, bottom), scale)
        _, folder = await work.run(request, task, NO_RESULT)
        return FileAnswer(folder / "result.png", MEDIA_TYPES["png"], {})


def _add_whole_routes(api: APIRouter, work: PictureWork) -> None:
    """Add what draws on the whole picture: costs, attention, and the picture with its boxes restored."""

    @api.post("/pictures/{key}/cost", response_model=dict[str, schemas.CostAnswer], responses=refusals(*WORK_REFUSALS))
    async def cost(request: Request, key: PictureId, asked: schemas.BoxesRequest) -> dict[str, messages.StrategyCost]:
        """Estimate what boxes would cost, by strategy; the first call for a network measures the machine."""
        boxes = work.sides(asked.boxes)
        task = messages.CostTask(*work.about(request, key), boxes, asked.network, asked.scale, asked.size)
        return await work.facts(request, task, dict[str, messages.StrategyCost])

    @api.post("/pictures/{key}/attention", response_model=schemas.AttentionAnswer, responses=refusals(*WORK_REFUSALS))
    async def attention(request: Request, key: PictureId, asked: schemas.AttentionRequest) -> messages.AttentionFacts:
        """Return from which patches of the picture a box's context comes."""
        task = messages.AttentionTask(*work.about(request, key), [asked.box.sides], asked.network, None, None)
        return await work.facts(request, task, messages.AttentionFacts)

    @api.post("/pictures/{key}/conditions", response_model=schemas.ConditionsAnswer, responses=refusals(*WORK_REFUSALS))
    async def conditions(request: Request, key: PictureId, asked: schemas.ConditionsRequest) -> messages.ConditionFacts:
        """Measure how the picture was degraded, which `network` is told where nothing else is asked for."""
        task = messages.ConditionsTask(*work.about(request, key), [], asked.network, None, None)
        return await work.facts(request, task, messages.ConditionFacts)

    @api.post(
        "/pictures/{key}/paste",
        response_class=Response,
        responses=picture_response(*FORMATS) | refusals(*WORK_REFUSALS),
    )
    async def paste(request: Request, key: PictureId, asked: schemas.PasteRequest) -> Response:
        """Return the whole picture with restored boxes in it, enlarged or at its own size."""
        how = work.writing(request, key, asked)
        task = messages.PasteTask(**how, feather=asked.feather, same_size=asked.same_size)
        found, folder = await work.run(request, task, PasteFacts)
        return FileAnswer(folder / f"result.{asked.format}", MEDIA_TYPES[asked.format], fact_headers(found))


def picture_response(*kinds: MediaFormat, headers: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """Describe a picture as an answer for OpenAPI."""
    content = {MEDIA_TYPES[kind]: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"content": content, "description": "The picture", **({"headers": headers} if headers else {})}}


def fact_headers(facts: RestorationFacts | PasteFacts) -> dict[str, str]:
    """Return facts as headers."""
    return {f"Localsr-{name.title()}": header_text(value) for name, value in asdict(facts).items()}


def header_text(value: Box | float | str) -> str:
    """Return a fact as a header has it."""
    if isinstance(value, Box):
        return f"{value.left},{value.top},{value.right},{value.bottom}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
