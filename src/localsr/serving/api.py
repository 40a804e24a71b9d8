"""The API, version 1: no endpoint takes a path or a URL, and all work is done by the pool."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from msgspec.structs import asdict

from localsr import __version__
from localsr.geometry import Box
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
    )
}
PictureId = Annotated[str, Path(max_length=64, description="A picture's id.")]
Side = Annotated[int, Query(ge=0, lt=2**31)]


def make_router(pool: Pool, store: Store, started_on: str | None) -> APIRouter:
    """Return the routes over a pool and a store; their names and summaries are part of OpenAPI, which clients read."""
    api = APIRouter(prefix="/api/v1")
    limits = pool.limits

    def checked(boxes: Sequence[BoxSides]) -> list[Sides]:
        """Return boxes as messages have them; 413 for more than the limit."""
        if len(boxes) > limits.boxes:
            raise Problem(413, f"{len(boxes)} boxes were asked for; at most {limits.boxes} are taken at once")
        return [box.sides for box in boxes]

    async def run(request: Request, task: messages.Task, result: type[Result]) -> tuple[Result, FilePath]:
        """Let the pool do a task, as long as its client waits."""
        return await while_connected(request, pool.run(task, result))

    async def facts(request: Request, task: messages.Task, result: type[Result]) -> Result:
        """Let the pool do a task that makes no file."""
        found, folder = await run(request, task, result)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    @api.get("/session", response_model=schemas.SessionAnswer, responses=refusals())
    async def session() -> dict[str, Any]:
        """Return the picture that the service was started on, and its limits."""
        return {"picture": started_on, "limits": vars(limits), "version": __version__}

    @api.get("/networks", response_model=list[schemas.NetworkAnswer], responses=refusals(503))
    async def networks() -> list[messages.OfferedNetwork]:
        """List the networks that can be asked for."""
        return await pool.known_networks()

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
        request: Request, name: Annotated[str, Query(max_length=MAX_NAME_LENGTH)] = "picture"
    ) -> dict[str, Any]:
        """Take a JPEG, PNG, TIFF, WebP or BMP as the raw body; `name` is what it is called in answers."""
        picture = store.new(name)
        picture.bytes = await save_body(request, picture.path)
        try:
            task = messages.OpenTask(picture.file, request.state.id)
            picture.facts = await facts(request, task, PictureFacts)
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
        found = store.get(key)
        if level >= found.facts.tiles.levels:
            raise Problem(422, f"there is no level {level}; this picture has {found.facts.tiles.levels}")
        task = messages.TileTask(found.file, request.state.id, level, column, row)
        _, folder = await run(request, task, NO_RESULT)
        return FileAnswer(folder / "result.jpg", MEDIA_TYPES["jpg"], {"cache-control": "private, max-age=600"})

    @api.post(
        "/pictures/{key}/restorations",
        response_class=Response,
        responses=picture_response("png", "tif", "webp", "jpg", "zip", headers=FACT_HEADERS) | refusals(*WORK_REFUSALS),
    )
    async def restore(request: Request, key: PictureId, asked: schemas.RestoreRequest) -> Response:
        """Restore boxes: the picture for one, a zip with an `index.json` for several."""
        boxes = checked(asked.boxes)
        about = (store.get(key).file, request.state.id)
        task = messages.RestoreTask(*about, boxes, asked.network, asked.strategy, asked.format)
        found, folder = await run(request, task, RestorationFacts)
        kind: MediaFormat = asked.format if len(boxes) == 1 else "zip"
        return FileAnswer(folder / f"result.{kind}", MEDIA_TYPES[kind], fact_headers(found))

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
        scale: Annotated[int, Query(ge=1, le=8)],
    ) -> Response:
        """Enlarge a box by bicubic, to compare with."""
        task = messages.BicubicTask(store.get(key).file, request.state.id, (left, top, right, bottom), scale)
        _, folder = await run(request, task, NO_RESULT)
        return FileAnswer(folder / "result.png", MEDIA_TYPES["png"], {})

    @api.post("/pictures/{key}/cost", response_model=dict[str, schemas.CostAnswer], responses=refusals(*WORK_REFUSALS))
    async def cost(request: Request, key: PictureId, asked: schemas.BoxesRequest) -> dict[str, messages.StrategyCost]:
        """Estimate what boxes would cost, by strategy; the first call for a network measures the machine."""
        boxes = checked(asked.boxes)
        task = messages.CostTask(store.get(key).file, request.state.id, boxes, asked.network)
        return await facts(request, task, dict[str, messages.StrategyCost])

    @api.post("/pictures/{key}/attention", response_model=schemas.AttentionAnswer, responses=refusals(*WORK_REFUSALS))
    async def attention(request: Request, key: PictureId, asked: schemas.AttentionRequest) -> messages.AttentionFacts:
        """Return from which patches of the picture a box's context comes."""
        task = messages.AttentionTask(store.get(key).file, request.state.id, asked.box.sides, asked.network)
        return await facts(request, task, messages.AttentionFacts)

    @api.post(
        "/pictures/{key}/paste",
        response_class=Response,
        responses=picture_response("png", "tif", "webp", "jpg") | refusals(*WORK_REFUSALS),
    )
    async def paste(request: Request, key: PictureId, asked: schemas.PasteRequest) -> Response:
        """Return the whole picture with restored boxes in it, enlarged or at its own size."""
        boxes = checked(asked.boxes)
        about = (store.get(key).file, request.state.id)
        task = messages.PasteTask(
            *about, boxes, asked.network, asked.strategy, asked.format, asked.feather, asked.same_size
        )
        found, folder = await run(request, task, PasteFacts)
        return FileAnswer(folder / f"result.{asked.format}", MEDIA_TYPES[asked.format], fact_headers(found))

    return api


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
