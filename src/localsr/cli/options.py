"""Options that several commands share, and groups of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from localsr.cli.terminal import progress_bar
from localsr.errors import ConfigError

if TYPE_CHECKING:
    from localsr.geometry import Box, Enlargement
    from localsr.images import Saving
    from localsr.inference.restorer import Restorer

EXPORTING = "exporting, once for this network"

PhotoPath = Annotated[
    Path, typer.Argument(metavar="PHOTO", help="A JPEG, PNG, TIFF, WebP, AVIF or BMP.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="A network of `localsr models`, or a checkpoint's path."),
]
Scale = Annotated[
    float | None,
    typer.Option("--scale", metavar="1..8", help="How many times to enlarge, as 3 or 1.5; else what the network does."),
]
OutputSize = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="WxH",
        help="Or how large a result is, in pixels: 1200x, x800 or 1200x800.",
        show_default=False,
    ),
]
NetworkScale = Annotated[
    int | None, typer.Option("--scale", metavar="2|4", help="Of the network, where none is named; 4 by default.")
]
StrategyOption = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="crop|halo|clsr|full",
        help="The region alone; with a few pixels around it; with these and the whole picture as context; with every "
        "pixel that can matter. By default clsr, or halo for a network without context.",
    ),
]
Device = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda|...", help="Where to compute; auto: an accelerator if any.")
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory", metavar="MB", min=1, help="Stay below it: smaller batches and tiles.", show_default=False
    ),
]
Runtime = Annotated[
    str,
    typer.Option(
        metavar="auto|torch|onnx",
        help="What computes; auto: torch if installed. onnx starts at once, and runs a folder of `localsr export`.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="auto|fp32|bf16|fp16",
        help="How to compute; auto: in 16 bits where that is faster here and at most one level of 255 from fp32.",
    ),
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")]
JsonTable = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a group of options as one dataclass.

    Typer wants a parameter for each option. What this returns has them: where the command has a parameter whose type
    is a dataclass, it has one for each of that dataclass's fields, with the field's name, annotation and default.

        @dataclass(frozen=True)
        class Size:
            width: Annotated[int, typer.Option(help="In pixels.")] = 64
            height: Annotated[int, typer.Option(help="In pixels.")] = 64

        @takes_groups
        def draw_command(picture: Path, *, size: Size) -> None: ...  # draw PICTURE --width 100
    """
    groups: dict[str, type[Any]] = {}
    parameters: list[Parameter] = []
    annotations = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        annotation = annotations[parameter.name]
        if not (isinstance(annotation, type) and is_dataclass(annotation)):
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=annotation))
            continue
        groups[parameter.name] = annotation
        options = get_type_hints(annotation, include_extras=True)
        parameters += [
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=options[field.name])
            for field in fields(annotation)
        ]

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401  # whatever the options are
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    return run


@dataclass(frozen=True)
class SavingOptions:
    """How results are written."""

    quality: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Of JPEG (95), WebP (lossless) and AVIF (90); in brackets what it is without it."
        ),
    ] = None
    metadata: Annotated[
        bool, typer.Option("--metadata/--no-metadata", help="Carry on what the camera and people said of the photo.")
    ] = True
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Say in each result what computed it, from what.")
    ] = True

    @property
    def saving(self) -> Saving:
        """The options as the library has them."""
        from localsr.images import Saving

        return Saving(self.quality, self.metadata, self.provenance)


@dataclass(frozen=True)
class NetworkOptions:
    """Which network computes, where and how."""

    scale: NetworkScale = None
    model: Model = None
    device: Device = "auto"
    precision: Precision = "auto"
    runtime: Runtime = "auto"

    def load(self) -> Restorer:
        """Load the network; `ConfigError` for one of another scale."""
        restorer = load_network(self.runtime, self.model, self.scale, device=self.device, precision=self.precision)
        return of_scale(restorer, self.scale)


@dataclass(frozen=True)
class SizedNetworkOptions:
    """Which network computes, where and how, and how large results are."""

    scale: Scale = None
    size: OutputSize = None
    model: Model = None
    device: Device = "auto"
    precision: Precision = "auto"
    runtime: Runtime = "auto"

    @property
    def asked(self) -> Enlargement | None:
        """How large results are, None for what the network does; `ConfigError` for what cannot be."""
        from localsr.geometry import Enlargement

        return Enlargement.asked(self.scale, self.size)

    def load(self, boxes: Sequence[Box] = (), max_memory: int | None = None, threads: int | None = None) -> Restorer:
        """Load the network for boxes, bounded to `max_memory` MB, for so many threads of the CPU."""
        from localsr.loading import load_sized

        how: dict[str, Any] = {"runtime": self.runtime, "device": self.device, "precision": self.precision}
        how |= {"max_memory": max_memory, "threads": threads}
        with progress_bar(EXPORTING) as progress:
            return load_sized(self.asked, boxes, self.model, progress=progress, **how)


def load_network(runtime: str, model: str | None, scale: float | None, **settings: Any) -> Restorer:  # noqa: ANN401
    """Load a network for a runtime, with a bar while graphs are made; `settings` are those of `localsr.load`."""
    from localsr.loading import load

    with progress_bar(EXPORTING) as progress:
        return load(model, runtime=runtime, scale=scale, progress=progress, **settings)


def of_scale(restorer: Restorer, scale: int | None) -> Restorer:
    """Return a restorer, where a network of a scale is wanted and no results of it; `ConfigError` for another."""
    if scale not in (None, restorer.network_scale):
        raise ConfigError(
            f"{restorer.card.name} enlarges x{restorer.network_scale}, not x{scale}; leave --scale out, or name a "
            "network by --model"
        )
    return restorer
