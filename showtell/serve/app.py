"""The routes. `make_app(load, limits)` gives an ASGI app; `load()` runs in a thread while `/readyz` says 503."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from showtell import __version__
from showtell.serve import chat
from showtell.serve.answers import CHAT, FORM, PROBLEMS, Captions
from showtell.serve.asked import read_fields
from showtell.serve.body import Guard
from showtell.serve.desk import Desk, File
from showtell.serve.limits import Limits, Refused
from showtell.serve.model import Model

Load = Callable[[], Sequence[Model]]
KINDS = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def make_app(load: Load, limits: Limits | None = None, failed: Callable[[Exception], None] | None = None) -> FastAPI:
    """The app. If `load` raises, `failed` gets the error; without it the app stays unready."""
    desk = Desk(limits or Limits())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(desk, load, failed))
        yield
        if not loading.done():
            loading.cancel()
        await desk.close()

    app = FastAPI(
        title="Showtell",
        version=__version__,
        summary="Captions of photos.",
        docs_url=None,  # FastAPI's pages load scripts from other hosts
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.desk = desk
    _add_captions(app, desk)
    _add_chat(app, desk)
    _add_health(app, desk)
    _add_page(app)  # last: its pattern fits every short path
    app.add_middleware(Guard, limits=desk.limits, metrics=desk.metrics)
    app.add_exception_handler(Refused, _say_refused)
    app.add_exception_handler(HTTPException, _say_http)
    app.add_exception_handler(Exception, _say_failed)
    return app


async def _load(desk: Desk, load: Load, failed: Callable[[Exception], None] | None) -> None:
    try:
        await desk.open(await asyncio.get_running_loop().run_in_executor(desk.torch, load))
    except Exception as error:
        if failed is None:
            raise
        failed(error)


def _add_captions(app: FastAPI, desk: Desk) -> None:
    @app.post(
        "/v1/caption",
        response_model=Captions,
        response_model_exclude_unset=True,
        responses=PROBLEMS,
        openapi_extra=FORM,
    )
    async def caption(request: Request) -> Any:
        """Caption one to eight photos, sent as multipart form data in the field `file`."""
        desk.model(None)  # 503 before a body is read
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise Refused(415, "send multipart/form-data with the photos in the field file")
        async with request.form(max_files=64, max_fields=64, max_part_size=64_000) as form:
            files: list[File] = []
            fields: list[tuple[str, str]] = []
            for key, value in form.multi_items():
                if isinstance(value, UploadFile) and key == "file":
                    files.append((value.filename or "photo", value.file))
                elif isinstance(value, str) and key != "file":
                    fields.append((key, value))
                else:
                    raise Refused(422, f"{key[:60]!r} cannot be used so: photos go into the field file, as files")
            options = dict(fields)
            rest = [(key, value) for key, value in fields if key not in ("model", "maps")]
            maps = _yes_or_no(options.get("maps", "false"))
            model = desk.model(options.get("model"))
            return await desk.captions(model, files, read_fields(rest, desk.limits), maps, _left(request))


def _add_chat(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/chat/completions", openapi_extra=CHAT, responses=PROBLEMS)
    async def completions(request: Request) -> Response:
        """The caption of an image in OpenAI's chat form. Options of language models do nothing."""
        try:
            desk.model(None)
            async with desk.texts(request.headers.get("content-length")):
                name, files, stream = chat.read_messages(await request.body())
                answer = await desk.captions(desk.model(name), files, {}, False, _left(request))
        except Refused as refused:
            return _answer(refused, chat.mistake(refused))
        if stream:
            return Response(chat.streamed(answer), media_type="text/event-stream")
        return JSONResponse(chat.completion(answer))

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The models, how each decodes, and the options that it takes."""
        desk.model(None)
        return {"object": "list", "data": [model.about() for model in desk.models.values()]}


def _add_health(app: FastAPI, desk: Desk) -> None:
    @app.head("/healthz", include_in_schema=False)  # what load balancers send
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", responses={503: PROBLEMS[503]})
    async def readyz() -> dict[str, Any]:
        """The models are loaded."""
        desk.model(None)
        return {"status": "ready", "models": [*desk.models]}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> str:
        """Counters for Prometheus."""
        waiting = sum(batcher.length for batcher in desk.batchers.values())
        return desk.metrics.text({"ready": float(desk.ready), "queue_photos": waiting})


def _add_page(app: FastAPI) -> None:
    folder = resources.files("showtell.serve") / "page"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.rpartition(".")[2] in KINDS}

    @app.get("/{name}", include_in_schema=False)
    async def page(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], media_type=KINDS[name.rpartition(".")[2]], headers={"cache-control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return await page("index.html")


def _left(request: Request) -> Callable[[], Any]:
    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    return left


def _yes_or_no(text: str) -> bool:
    if text not in ("true", "false"):
        raise Refused(422, f"maps is {text[:60]!r}; it takes true or false")
    return text == "true"


def _answer(refused: Refused, content: Any) -> JSONResponse:
    headers = {} if refused.retry_after is None else {"retry-after": str(refused.retry_after)}
    return JSONResponse(content, refused.status, headers)


def _say_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _answer(error, {"error": error.line})


def _say_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    lines = {404: "there is no such page; GET /openapi.json lists them", 405: "this page does not take that method"}
    status = 422 if error.status_code == 400 else error.status_code
    return JSONResponse({"error": lines.get(error.status_code, str(error.detail))}, status)


def _say_failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server failed; its terminal says why"}, 500)
