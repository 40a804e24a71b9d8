"""HTML pages that need no other file and make no request, filled from the package's own templates."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files


def render_page(
    package: str, template: str, filters: dict[str, Callable[..., str]], script: str = "", **values: object
) -> bytes:
    """Fill a template that lies in a package, as `localsr.batch`, and return the page; every value is escaped.

    The page forbids itself whatever it does not hold: the template puts `policy`, a content security policy, into its
    head, and the only script that may run is our own `script`, by its hash.
    """
    import jinja2  # of extras that make pages; who makes the data URL of a picture needs none
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(filters)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        policy += f"; script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
    page = environment.from_string(files(package).joinpath(template).read_text())
    return page.render(policy=Markup(policy), script=Markup(script), **values).encode()  # both are our own


def data_url(picture: bytes, kind: str = "png") -> str:
    """Return a URL that holds an encoded picture; `kind` is its format as MIME types name it."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode()
