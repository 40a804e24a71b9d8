"""The API, version 1: no endpoint takes a path or a URL, and all work is done by the pool."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from localsr import __version__
from localsr.serving import schemas
from localsr.serving.answers import FileAnswer, received, while_here
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.schemas import MEDIA, BoxSides, refusals
from localsr.serving.store import LONGEST, Store

WORK = (404, 413, 422, 429, 503, 504, 507)  # what a job may be refused for
FACTS = {
    f"Localsr-{name}": {"description": told, "schema": {"type": kind}}
    for name, told, kind in (
        ("Box", "left,top,right,bottom as restored", "string"),
        ("Scale", "how many times enlarged", "integer"),
        ("Strategy", "how the region was fed to the network", "string"),
        ("Network", "which one", "string"),
        ("Seconds", "of the work", "number"),
        ("Gflops", "of the work", "number"),
    )
}
Key = Annotated[str, Path(max_length=64, description="A picture's id.")]
Side = Annotated[int, Query(ge=0, lt=2**31)]


def picture_answer(*kinds: str, facts: bool = False) -> dict[int | str, dict[str, Any]]:
    """Document a picture as an answer."""
    content = {MEDIA[kind]: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"content": content, "description": "The picture", **({"headers": FACTS} if facts else {})}}


def router(pool: Pool, store: Store, started_on: str | None) -> APIRouter:
    """Make the routes over a pool and a store."""
    api = APIRouter(prefix="/api/v1")
    limits = pool.limits

    async def work(request: Request, key: str, do: str, **asked: Any) -> tuple[Any, Any]:  # noqa: ANN401  # JSON
        """Let the pool do a job about a picture, as long as its client waits."""
        if len(asked.get("boxes", ())) > limits.boxes:
            raise Problem(413, f"{len(asked['boxes'])} boxes were asked for; at most {limits.boxes} are taken at once")
        job = {"do": do, "picture": store.get(key).job, "request": request.state.id, **asked}
        return await while_here(request, pool.run(job))

    async def facts(request: Request, key: str, do: str, **asked: Any) -> Any:  # noqa: ANN401  # JSON
        """Let the pool do a job whose answer is JSON."""
        done, folder = await work(request, key, do, **asked)
        shutil.rmtree(folder, ignore_errors=True)
        return done

    @api.get("/session", response_model=schemas.Session, responses=refusals())
    async def session() -> dict[str, Any]:
        """Tell the picture that the service was started on, and its limits."""
        return {"picture": started_on, "limits": vars(limits), "version": __version__}

    @api.get("/networks", response_model=list[schemas.Network], responses=refusals(503))
    async def networks() -> list[dict[str, Any]]:
        """List the networks that can be asked for."""
        return await pool.networks_known()

    @api.post(
        "/pictures",
        status_code=201,
        response_model=schemas.Picture,
        responses=refusals(413, 422, 429, 503, 504, 507),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(request: Request, name: Annotated[str, Query(max_length=LONGEST)] = "picture") -> dict[str, Any]:
        """Take a JPEG, PNG, TIFF, WebP or BMP as the raw body; `name` is what it is called in answers."""
        picture = store.new(name)
        picture.bytes = await received(request, picture.path)
        try:
            job = {"do": "open", "picture": picture.job, "request": request.state.id}
            picture.facts, folder = await while_here(request, pool.run(job))
        except BaseException:
            picture.path.unlink(missing_ok=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        store.add(picture)
        return picture.told

    @api.get("/pictures/{key}", response_model=schemas.Picture, responses=refusals(404))
    async def picture(key: Key) -> dict[str, Any]:
        """Describe a picture."""
        return store.get(key).told

    @api.delete("/pictures/{key}", status_code=204, responses=refusals(404, 409))
    async def remove(key: Key) -> Response:
        """Forget a picture at once."""
        store.remove(key)
        return Response(status_code=204)

    @api.get(
        "/pictures/{key}/tiles/{level}/{column}_{row}.jpg",
        response_class=Response,
        responses=picture_answer("jpg") | refusals(*WORK),
    )
    async def tile(
        request: Request,
        key: Key,
        level: Annotated[int, Path(ge=0, lt=64)],
        column: Annotated[int, Path(ge=0, lt=2**31)],
        row: Annotated[int, Path(ge=0, lt=2**31)],
    ) -> Response:
        """Cut a tile of the upright picture's Deep Zoom pyramid: level 0 has one pixel, the last level all."""
        if level >= store.get(key).facts["tiles"]["levels"]:
            raise Problem(422, f"there is no level {level}; this picture has {store.get(key).facts['tiles']['levels']}")
        asked = {"level": level, "column": column, "row": row, "format": "jpg"}
        _, folder = await work(request, key, "tile", **asked)
        return FileAnswer(folder / "result.jpg", MEDIA["jpg"], {"cache-control": "private, max-age=600"})

    @api.post(
        "/pictures/{key}/restorations",
        response_class=Response,
        responses=picture_answer("png", "tif", "webp", "jpg", "zip", facts=True) | refusals(*WORK),
    )
    async def restore(request: Request, key: Key, asked: schemas.Restore) -> Response:
        """Restore boxes: the picture for one, a zip with an `index.json` for several."""
        boxes = [box.sides for box in asked.boxes]
        how = {"network": asked.network, "strategy": asked.strategy, "format": asked.format}
        done, folder = await work(request, key, "restore", boxes=boxes, **how)
        kind = asked.format if len(boxes) == 1 else "zip"
        return FileAnswer(folder / f"result.{kind}", MEDIA[kind], told(done))

    @api.get("/pictures/{key}/bicubic", response_class=Response, responses=picture_answer("png") | refusals(*WORK))
    async def bicubic(
        request: Request,
        key: Key,
        left: Side,
        top: Side,
        right: Side,
        bottom: Side,
        scale: Annotated[int, Query(ge=1, le=8)],
    ) -> Response:
        """Enlarge a box by bicubic, to compare with."""
        asked = {"boxes": [[left, top, right, bottom]], "scale": scale, "format": "png"}
        _, folder = await work(request, key, "bicubic", **asked)
        return FileAnswer(folder / "result.png", MEDIA["png"], {})

    @api.post("/pictures/{key}/cost", response_model=dict[str, schemas.Bill], responses=refusals(*WORK))
    async def cost(request: Request, key: Key, asked: schemas.Asked) -> Any:  # noqa: ANN401  # JSON
        """Tell what boxes would cost, by strategy; the first call for a network measures the machine."""
        return await facts(request, key, "cost", boxes=[b.sides for b in asked.boxes], network=asked.network)

    @api.post("/pictures/{key}/attention", response_model=schemas.Attention, responses=refusals(*WORK))
    async def attention(request: Request, key: Key, asked: schemas.Look) -> Any:  # noqa: ANN401  # JSON
        """Tell from which patches of the picture a box's context comes."""
        return await facts(request, key, "attention", boxes=[asked.box.sides], network=asked.network)

    @api.post(
        "/pictures/{key}/paste",
        response_class=Response,
        responses=picture_answer("png", "tif", "webp", "jpg") | refusals(*WORK),
    )
    async def paste(request: Request, key: Key, asked: schemas.Paste) -> Response:
        """Give the whole picture with restored boxes in it, enlarged or at its own size."""
        rest = asked.model_dump(exclude={"boxes"})
        done, folder = await work(request, key, "paste", boxes=[box.sides for box in asked.boxes], **rest)
        return FileAnswer(folder / f"result.{asked.format}", MEDIA[asked.format], told(done))

    return api


def told(facts: dict[str, Any]) -> dict[str, str]:
    """Put facts into headers."""
    headers = {}
    for name, value in facts.items():
        if name == "box":
            value = ",".join(str(side) for side in BoxSides(**value).sides)
        headers[f"Localsr-{name.title()}"] = f"{value:.4f}" if isinstance(value, float) else str(value)
    return headers
