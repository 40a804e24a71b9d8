"""`localsr serve` and `localsr view`: the page and the API, for others and for oneself."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.console import Runtime, loaded
from localsr.cli.restore import PhotoPath
from localsr.errors import ConfigError, LocalSRError
from localsr.extras import need
from localsr.serving.limits import Limits, Settings

DEFAULT = Limits()
VIEW = Limits(job=600.0)  # one's own picture may have any size, and decoding it takes its time
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A network to offer; by default those of the package with context. Repeat it.",
    ),
]
Workers = Annotated[int, typer.Option(min=0, max=64, help="Processes that do the work; 0: one a core, 2 to 4.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log every request on stderr.")]


def run(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Other than loopback needs a token.")] = "127.0.0.1",
    port: Port = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Holds the token, like LOCALSR_TOKEN.", show_default=False),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name that this machine is asked by. Repeat it.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A site whose pages may ask (CORS). Repeat it.")
    ] = None,
    model: Networks = None,
    runtime: Runtime = "torch",
    workers: Workers = 0,
    max_body: Annotated[int, typer.Option(metavar="MiB", help="Of an uploaded picture's file.")] = DEFAULT.body,
    max_megapixels: Annotated[int, typer.Option(help="Of an uploaded picture.")] = DEFAULT.megapixels,
    max_boxes: Annotated[int, typer.Option(help="Of one request.")] = DEFAULT.boxes,
    max_output: Annotated[int, typer.Option(metavar="MEGAPIXELS", help="Of one answer.")] = DEFAULT.output,
    header_timeout: Annotated[float, typer.Option(metavar="S", help="For a request's headers.")] = DEFAULT.header,
    body_timeout: Annotated[float, typer.Option(metavar="S", help="For a request's body.")] = DEFAULT.body_seconds,
    read_timeout: Annotated[
        float, typer.Option(metavar="S", help="In which a client reads a part of an answer.")
    ] = DEFAULT.read_seconds,
    job_timeout: Annotated[float, typer.Option(metavar="S", help="For the work of one request.")] = DEFAULT.job,
    queue: Annotated[int, typer.Option(help="Requests that wait, for each worker.")] = DEFAULT.queue,
    keep: Annotated[float, typer.Option(metavar="S", help="That an unused picture is kept.")] = DEFAULT.keep,
    max_disk: Annotated[int, typer.Option(metavar="MiB", help="Of all uploaded pictures.")] = DEFAULT.disk,
    max_memory: Annotated[
        int, typer.Option(metavar="MiB", help="Of decoded pictures, in each worker.")
    ] = DEFAULT.memory,
    max_connections: Annotated[int, typer.Option(help="At once.")] = DEFAULT.connections,
    verbose: Verbose = False,
) -> None:
    """Serve the page and the API, for a team and for programs.

    Listens on this machine alone unless told otherwise; then it needs a token, in LOCALSR_TOKEN or a file. A limit that
    is hit is named in the answer. SIGTERM finishes what was accepted.
    """
    limits = Limits(
        max_body, max_megapixels, max_boxes, max_output, header_timeout, body_timeout, read_timeout, job_timeout, queue,
        keep, max_disk, max_memory, max_connections,
    )  # fmt: skip
    settings = Settings(
        host, port, _token(token_file), tuple(allow_host or ()), tuple(allow_origin or ()), tuple(model or ()),
        runtime, workers, limits,
    )  # fmt: skip
    _serve(settings, verbose=verbose, browser=False)


def view(
    photo: PhotoPath,
    port: Port = 0,
    model: Networks = None,
    runtime: Runtime = "torch",
    workers: Workers = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    verbose: Verbose = False,
) -> None:
    """Open a page on a picture of any size: drag a box and see it sharp. Ctrl-C ends it."""
    if not photo.is_file():
        raise ConfigError(f"{photo} is no file; name a picture")
    settings = Settings(
        port=port, networks=tuple(model or ()), runtime=runtime, workers=workers, limits=VIEW, photo=photo.resolve()
    )
    _serve(settings, verbose=verbose, browser=browser)


def _token(file: Path | None) -> str | None:
    """Read the token; not from the command line, which every user of a machine can read."""
    if file is None:
        return os.environ.get("LOCALSR_TOKEN") or None
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token's file {file} cannot be read: {getattr(error, 'strerror', 'no text')}") from error


def _exported(runtime: str, networks: tuple[str, ...]) -> None:
    """Have the graphs in the cache, with a bar, before workers that share it look for them; those say what is wrong."""
    from localsr.inference.restorer import OFFERED

    with suppress(LocalSRError, KeyboardInterrupt):
        for name in networks or OFFERED:
            loaded(runtime, name, None)


def _serve(settings: Settings, *, verbose: bool, browser: bool) -> None:
    """Run the service and tell where."""
    need("serve", "fastapi", "uvicorn", "prometheus_client")
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    if settings.runtime != "torch":  # apart, so that this process does without torch, of which it has no need
        names = (settings.runtime, settings.networks)
        apart = multiprocessing.get_context("spawn").Process(target=_exported, args=names)
        apart.start()
        apart.join()
    from localsr.serving import server

    def listening(address: str) -> None:
        typer.echo(f"localsr: {address}")
        if browser:
            webbrowser.open(address)

    server.run(dataclasses.replace(settings), listening)
