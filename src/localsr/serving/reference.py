"""The reference of the API: what OpenAPI says, as plain HTML, with nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

SHOWN_METHODS = ("get", "post", "delete")
TITLE = "localsr: the API"


def add_reference(app: FastAPI) -> None:
    """Serve the page at /api."""

    @app.get("/api", response_class=HTMLResponse, include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(as_html(app.openapi()))


def as_html(openapi: dict[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    routes = [
        _section(path, method, route)
        for path, methods in openapi["paths"].items()
        for method, route in methods.items()
        if method in SHOWN_METHODS
    ]
    shapes = [
        f"<h3 id='{escape(name)}'>{escape(name)}</h3><pre>{escape(json.dumps(shape, indent=2))}</pre>"
        for name, shape in openapi.get("components", {}).get("schemas", {}).items()
    ]
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{TITLE}</title>"
    view = "<meta name='viewport' content='width=device-width'><meta name='color-scheme' content='light dark'>"
    icon = "<link rel='icon' href='data:,'>"  # else a browser asks for one where a proxy has another site
    intro = f"<h1>{TITLE}</h1><p>Version {escape(openapi['info']['version'])}. "
    machine = "For programs: <a href='openapi.json'>openapi.json</a>. In Python: <code>localsr.Client</code>.</p>"
    return f"{head}{view}{icon}{intro}{machine}{''.join(routes)}<h2>Shapes</h2>{''.join(shapes)}</html>"


def _section(path: str, method: str, route: dict[str, Any]) -> str:
    """Return one route as HTML."""
    rows = [
        f"<li><code>{escape(p['name'])}</code> in {escape(p['in'])}{'' if p.get('required') else ', optional'} "
        f"<code>{escape(json.dumps(p['schema']))}</code></li>"
        for p in route.get("parameters", [])
    ]
    for media, content in route.get("requestBody", {}).get("content", {}).items():
        rows.append(f"<li>body <code>{escape(media)}</code> {_shape_link(content.get('schema', {}))}</li>")
    for status, answer in route.get("responses", {}).items():
        kinds = [
            f"<code>{escape(m)}</code> {_shape_link(c.get('schema', {}))}" for m, c in answer.get("content", {}).items()
        ]
        rows.append(f"<li>{escape(status)}: {escape(answer.get('description', ''))} {', '.join(kinds)}</li>")
    description = escape(route.get("description", ""))
    return f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{description}</p><ul>{''.join(rows)}</ul>"


def _shape_link(schema: dict[str, Any]) -> str:
    """Return a shape's name as HTML, with a link to it."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    return f"list of {_shape_link(schema['items'])}" if "items" in schema else ""
