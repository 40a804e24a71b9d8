"""HTML pages that need no other file and make no request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files

import jinja2
from markupsafe import Markup


def page(room: str, template: str, filters: dict[str, Callable[..., str]], script: str = "", **values: object) -> bytes:
    """Fill a template that lies in a room of the package; all values are escaped.

    The page forbids itself whatever it does not hold: `policy` is what its head says so with, and `script` the one that
    may run in it.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(filters)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        policy += f"; script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
    made = environment.from_string(files(room).joinpath(template).read_text())
    return made.render(policy=Markup(policy), script=Markup(script), **values).encode()  # both are ours


def data_url(picture: bytes, kind: str = "png") -> str:
    """Give a picture as an address that holds it."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode()
