"""`localsr serve` and `localsr view`: the page and the API, for others and for oneself."""

from __future__ import annotations

import logging
import multiprocessing
import os
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.condition_options import AUTO, Deblur, Denoise, number
from localsr.cli.options import PhotoPath, Precision, Runtime, load_network, takes_groups
from localsr.cli.picture_options import Tolerant
from localsr.conditions import Adjustment
from localsr.errors import ConfigError, LocalSRError
from localsr.extras import need
from localsr.serving.settings import Limits, Settings

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
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="A name that this machine is asked by. Repeat it."),
]
RootPath = Annotated[str, typer.Option(metavar="/PATH", help="Below which a proxy serves it; one that leaves it on.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log every request on stderr.")]


@dataclass(frozen=True)
class LimitOptions:
    """What the service takes at most."""

    max_body: Annotated[int, typer.Option(metavar="MiB", help="Of an uploaded picture's file.")] = DEFAULT.body
    max_megapixels: Annotated[int, typer.Option(help="Of an uploaded picture.")] = DEFAULT.megapixels
    max_boxes: Annotated[int, typer.Option(help="Of one request.")] = DEFAULT.boxes
    max_output: Annotated[int, typer.Option(metavar="MEGAPIXELS", help="Of one answer.")] = DEFAULT.output
    header_timeout: Annotated[float, typer.Option(metavar="S", help="For a request's headers.")] = DEFAULT.header
    body_timeout: Annotated[float, typer.Option(metavar="S", help="For a request's body.")] = DEFAULT.body_seconds
    read_timeout: Annotated[float, typer.Option(metavar="S", help="In which a client reads a part of an answer.")] = (
        DEFAULT.read_seconds
    )
    job_timeout: Annotated[float, typer.Option(metavar="S", help="For the work of one request.")] = DEFAULT.job
    queue: Annotated[int, typer.Option(help="Requests that wait, for each worker.")] = DEFAULT.queue
    keep: Annotated[float, typer.Option(metavar="S", help="That an unused picture is kept.")] = DEFAULT.keep
    max_disk: Annotated[int, typer.Option(metavar="MiB", help="Of all uploaded pictures.")] = DEFAULT.disk
    max_memory: Annotated[int, typer.Option(metavar="MiB", help="Of decoded pictures, in each worker.")] = (
        DEFAULT.memory
    )
    max_uploads: Annotated[int, typer.Option(help="Under way at once.")] = DEFAULT.uploads
    max_connections: Annotated[int, typer.Option(help="At once.")] = DEFAULT.connections

    def limits(self) -> Limits:
        """Return them as the service takes them."""
        return Limits(
            body=self.max_body,
            megapixels=self.max_megapixels,
            boxes=self.max_boxes,
            output=self.max_output,
            header=self.header_timeout,
            body_seconds=self.body_timeout,
            read_seconds=self.read_timeout,
            job=self.job_timeout,
            queue=self.queue,
            keep=self.keep,
            disk=self.max_disk,
            uploads=self.max_uploads,
            memory=self.max_memory,
            connections=self.max_connections,
        )


@takes_groups
def serve_command(
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Other than loopback needs a token.")] = "127.0.0.1",
    port: Port = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Holds the token, like LOCALSR_TOKEN.", show_default=False),
    ] = None,
    allow_host: AllowedHosts = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A site whose pages may ask (CORS). Repeat it.")
    ] = None,
    root_path: RootPath = "",
    model: Networks = None,
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    workers: Workers = 0,
    bounds: LimitOptions,
    verbose: Verbose = False,
) -> None:
    """Serve the page and the API, for a team and for programs.

    Listens on this machine alone unless told otherwise; then it needs a token, in LOCALSR_TOKEN or a file. A limit that
    is hit is named in the answer. SIGTERM finishes what was accepted.
    """
    settings = Settings(
        host=host,
        port=port,
        token=read_token(token_file),
        hosts=tuple(allow_host or ()),
        origins=tuple(allow_origin or ()),
        root_path=root_path.rstrip("/"),
        networks=tuple(model or ()),
        runtime=runtime,
        precision=precision,
        workers=workers,
        limits=bounds.limits(),
    )
    run_service(settings, verbose=verbose, browser=False)


def view_command(
    photo: PhotoPath,
    tolerant: Tolerant = False,
    port: Port = 0,
    allow_host: AllowedHosts = None,
    root_path: RootPath = "",
    model: Networks = None,
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    denoise: Denoise = AUTO,
    deblur: Deblur = AUTO,
    workers: Workers = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    verbose: Verbose = False,
) -> None:
    """Open a page on a picture of any size: drag a box and see it sharp. Ctrl-C ends it."""
    if not photo.is_file():
        raise ConfigError(f"{photo} is no file; name a picture")
    settings = Settings(
        port=port,
        hosts=tuple(allow_host or ()),
        root_path=root_path.rstrip("/"),
        networks=tuple(model or ()),
        runtime=runtime,
        precision=precision,
        workers=workers,
        adjustment=Adjustment(number("denoise", denoise), number("deblur", deblur)),
        limits=VIEW,
        photo=photo.resolve(),
        tolerant=tolerant,
    )
    run_service(settings, verbose=verbose, browser=browser)


def read_token(file: Path | None) -> str | None:
    """Read the token; it is never an option's value, since every user of a machine can read command lines."""
    if file is None:
        return os.environ.get("LOCALSR_TOKEN") or None
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token's file {file} cannot be read: {getattr(error, 'strerror', 'no text')}") from error


def export_networks(runtime: str, networks: tuple[str, ...]) -> None:
    """Write the graphs of networks into the cache, with a bar, before workers look for them; these report errors."""
    with suppress(LocalSRError, KeyboardInterrupt):
        for name in networks:
            load_network(runtime, name, None)


def run_service(settings: Settings, *, verbose: bool, browser: bool) -> None:
    """Run the service, and print its address once it listens."""
    need("serve", "fastapi", "uvicorn", "prometheus_client")
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    from localsr.models.embedded import embedded_networks
    from localsr.serving import server

    exported = tuple(name for name in settings.networks if name not in embedded_networks())
    if settings.runtime == "onnx" and exported:  # in a process of its own: this one needs no torch
        names = (settings.runtime, exported)
        exporter = multiprocessing.get_context("spawn").Process(target=export_networks, args=names)
        exporter.start()
        exporter.join()

    def listening(address: str) -> None:
        typer.echo(f"localsr: {address}")
        if browser:
            webbrowser.open(address)

    server.run_service(settings, listening)
