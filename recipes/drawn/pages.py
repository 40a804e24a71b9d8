"""Screenshots of invented pages and programs, taken with Chromium."""

from __future__ import annotations

import atexit
import base64
import html
import io
import math
from functools import lru_cache
from random import Random

import numpy as np
from canvas import Colour, Photos, Pixels, any_colour, hsl, ink, luma, mixed
from layouts import LAYOUTS, bar
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from words import MONO, RIGHT_TO_LEFT, SANS, SERIF, Voice, number

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--font-render-hinting=none",
    "--hide-scrollbars",
]
STYLE = """
* { box-sizing: border-box }
body { margin: 0; background: GROUND; color: TEXT; font: SIZEpx 'FAMILY', 'DejaVu Sans' }
a { color: ACCENT }
td { border-bottom: 1px solid FAINT; padding: 3px 7px; text-align: start; white-space: nowrap }
.bar { background: ACCENT; color: BUTTON; padding: 8px 12px; display: flex; gap: 14px; align-items: center;
       white-space: nowrap }
.card { background: CARD; color: ONCARD; border: 1px solid FAINT; border-radius: ROUNDpx; padding: 8px;
        overflow: hidden; box-shadow: 0 1px 4px #0003 }
.button { background: ACCENT; color: BUTTON; border-radius: ROUNDpx; padding: 4px 10px; display: inline-block }
.row { display: flex; gap: 10px; align-items: center; padding: 5px 10px; border-bottom: 1px solid FAINT }
.grid { display: grid; gap: 10px; padding: 10px }
.said { display: flex; gap: 6px; margin: 7px }
.said .card { max-width: 70%; border-radius: 12px }
.mine { justify-content: end }
.mine .card { background: ACCENT; color: BUTTON }
.entry { padding: 1px; font-size: 80%; white-space: nowrap; display: block }
.wide { flex: 1; overflow: hidden; white-space: nowrap }
img { display: block; object-fit: cover; border-radius: ROUNDpx }
small { opacity: .7 }
svg { flex: none }
input, select, button { font: inherit; margin: 2px }
"""


@lru_cache(maxsize=1)
def browser() -> Browser:
    """Return the one browser of this process."""
    driver = sync_playwright().start()
    started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    atexit.register(driver.stop)
    atexit.register(started.close)
    return started


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw a page and take a picture of a part of it, at one to two px of the screen to each of the page."""
    scale = rng.choice([1, 1, 1.25, 1.5, 2])
    side = math.ceil(size / scale)
    view = browser().new_page(viewport={"width": side, "height": side}, device_scale_factor=scale, offline=True)
    try:
        view.set_content(Page(rng, photos).document(side))
        view.evaluate("y => window.scrollTo(0, y)", rng.choice([0, rng.randint(0, 400)]))
        shot = view.screenshot(animations="disabled")
    finally:
        view.close()
    with Image.open(io.BytesIO(shot)) as picture:
        return np.asarray(picture.convert("RGB").crop((0, 0, size, size)))


def css(colour: Colour) -> str:
    """Return a colour as style sheets write it."""
    return "#" + "".join(f"{round(255 * min(max(c, 0), 1)):02x}" for c in colour)


class Page:
    """One page: its language, type and colours, and what its layout fills it with."""

    def __init__(self, rng: Random, photos: Photos) -> None:
        """Draw language, type and colours."""
        self.rng, self.photos = rng, photos
        self.voice = Voice.drawn(rng, 0.65, rng.choice([SANS, SANS, SANS, SERIF, MONO]))
        light, dark = [(1, 1, 1), (1, 1, 1), (0.96, 0.96, 0.97)], [(0.07, 0.07, 0.09), (0.13, 0.14, 0.17)]
        self.ground: Colour = rng.choice([*light, *dark, any_colour(rng)])
        self.accent = hsl(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.6))

    def document(self, side: int) -> str:
        """Return the page as HTML, for a window `side` px wide."""
        rng = self.rng
        card = hsl(0.6, 0.1, 0.17 if luma(self.ground) < 0.5 else 0.985)
        text = ink(rng, self.ground, 0.6)
        style = STYLE
        for key, colour in {
            "GROUND": self.ground,
            "TEXT": text,
            "FAINT": mixed(self.ground, text, 0.2),
            "ACCENT": self.accent,
            "BUTTON": ink(rng, self.accent, 0.8),
            "ONCARD": ink(rng, card, 0.7),
            "CARD": card,
        }.items():
            style = style.replace(key, css(colour))
        style = style.replace("FAMILY", self.voice.family).replace("ROUND", str(rng.choice([0, 3, 6, 12])))
        style = style.replace("SIZE", str(rng.choice([10, 11, 12, 13, 14, 15, 16, 18])))
        top = bar(self) if rng.random() < 0.7 else ""
        way = "rtl" if self.voice.locale in RIGHT_TO_LEFT else "ltr"
        return f"<!doctype html><html dir={way}><style>{style}</style>{top}{rng.choice(LAYOUTS)(self, side)}</html>"

    def say(self, count: int) -> str:
        """Return a few words, safe in HTML."""
        return html.escape(self.voice.line(self.rng, count))

    def tell(self, count: int) -> str:
        """Return sentences, safe in HTML."""
        return html.escape(self.voice.text(self.rng, count))

    def number(self) -> str:
        """Return a number, safe in HTML."""
        return html.escape(number(self.rng))

    def name(self) -> str:
        """Return a person's name, safe in HTML."""
        return html.escape(self.voice.name(self.rng))

    def picture(self, width: int, height: int) -> str:
        """Return an image element with a photograph."""
        stored = io.BytesIO()
        Image.fromarray(self.photos.crop(self.rng, 2 * width, 2 * height)).save(stored, "PNG", compress_level=1)
        data = base64.b64encode(stored.getvalue()).decode()
        return f"<img width={width} height={height} src='data:image/png;base64,{data}'>"

    def tint(self) -> str:
        """Return a colour that can be read on the page's ground."""
        return css(ink(self.rng, self.ground, 0.5))
