"""How a picture is opened: which page of it, and whether a damaged one too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.terminal import progress_bar

if TYPE_CHECKING:
    from localsr.images import Photo

Page = Annotated[
    int | None,
    typer.Option(
        "--page",
        metavar="N",
        min=1,
        help="Which page of a document, or frame of an animation, from 1; by default the only or the first one.",
        show_default=False,
    ),
]
Tolerant = Annotated[
    bool, typer.Option("--tolerant", help="Read a damaged picture as far as it goes, and say what is wrong with it.")
]


@dataclass(frozen=True)
class PictureOptions:
    """Which page, and how strictly."""

    page: Page = None
    tolerant: Tolerant = False

    def read(self, photo: Path) -> Photo:
        """Open a picture with a bar; say what it holds besides, and what of it is lost."""
        from localsr import images
        from localsr.images.vips import secure_process

        secure_process()
        with progress_bar("decoding") as progress:
            source = images.read(photo, progress, page=self.page, tolerant=self.tolerant)
        if source.pages > 1 and self.page is None:
            typer.echo(f"{photo}: {source.page} of {source.pages} frames is used; --page takes another", err=True)
        if source.damage:
            typer.echo(f"{photo} is damaged: {source.damage}; what is lost is grey or black", err=True)
        return source


def picture_facts(source: Photo) -> dict[str, Any]:
    """Return what `--json` says of a picture that is not all there is in its file, or not all of it."""
    pages = {"page": source.page, "pages": source.pages} if source.pages > 1 else {}
    return pages | ({"damage": source.damage} if source.damage else {})
