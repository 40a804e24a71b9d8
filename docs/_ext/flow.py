"""A directive that draws the way of something through the house: one box a line, an arrow between two boxes.

    ```{flow} The way of a photo and a box
    images/reading.py :: read :: the file becomes a Photo
    inference/restorer.py :: Restorer.encode :: patches are sampled
    ```

Each line is a place, what happens there, and what comes of it. The drawing is SVG in the page itself, in the colours of
its text, so that it is as legible in the dark.
"""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

WIDTH, BOX, GAP, LEFT = 720, 52, 26, 8  # px


class Flow(SphinxDirective):
    """The directive `flow`."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Draw the lines of the directive."""
        steps = [[part.strip() for part in line.split("::")] for line in self.content if line.strip()]
        for number, step in enumerate(steps):
            if len(step) != 3:
                raise self.error(f"line {number + 1} must be a place :: what happens :: what comes of it")
        return [nodes.raw("", _drawn(self.arguments[0], steps), format="html")]


def _drawn(title: str, steps: list[list[str]]) -> str:
    """Return the SVG of steps under each other."""
    height = len(steps) * (BOX + GAP) - GAP + 2 * LEFT
    parts = [
        f'<figure class="flow"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>'
    ]
    for k, (place, what, result) in enumerate(steps):
        top = LEFT + k * (BOX + GAP)
        parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH - 2 * LEFT}" height="{BOX}" rx="6"/>'
            f'<text x="{LEFT + 14}" y="{top + 21}"><tspan class="what">{escape(what)}</tspan></text>'
            f'<text x="{WIDTH - LEFT - 14}" y="{top + 21}" text-anchor="end" class="place">{escape(place)}</text>'
            f'<text x="{LEFT + 14}" y="{top + 41}" class="result">{escape(result)}</text>'
        )
        if k + 1 < len(steps):
            parts.append(f'<path class="arrow" d="M{WIDTH // 2} {top + BOX}v{GAP - 2}" marker-end="url(#tip)"/>')
    return "".join(parts) + f"</svg><figcaption>{escape(title)}</figcaption></figure>"


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401  # Sphinx's application
    """Tell Sphinx of the directive."""
    app.add_directive("flow", Flow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
