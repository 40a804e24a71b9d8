"""What pages and programs show: articles, shops, dashboards, chats, settings, editors, lists and calendars, as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from words import MONO, Voice

if TYPE_CHECKING:
    from pages import Page


def bar(page: Page) -> str:
    """Return the bar at the top: an icon and menus."""
    menus = "".join(f"<span>{page.say(1)}</span>" for _ in range(4))
    return f"<div class=bar>{icon(page, 20)}<b>{page.say(1)}</b>{menus}</div>"


def icon(page: Page, side: int = 16) -> str:
    """Return a small drawing of a few strokes."""
    rng, strokes = page.rng, ""
    for _ in range(rng.randint(1, 3)):
        a, b, c, d, e, f = (rng.randint(3, 21) for _ in range(6))
        strokes += rng.choice(
            [
                f"<circle cx={6 + a // 2} cy={6 + b // 2} r={2 + c // 3} />",
                f"<path d='M{a} {b}L{c} {d}L{e} {f}' />",
                f"<rect x={2 + a // 3} y={2 + b // 3} width={4 + c // 2} height={4 + d // 2} rx=2 />",
            ]
        )
    drawn = "viewBox='0 0 24 24' fill=none stroke=currentColor stroke-width=2 stroke-linecap=round"
    return f"<svg width={side} height={side} {drawn}>{strokes}</svg>"


def chart(page: Page, width: int, height: int) -> str:
    """Return a small chart of bars or a line."""
    rng, n = page.rng, page.rng.randint(8, 40)
    values, step = [rng.uniform(0.1, 0.95) * height for _ in range(n)], width / n
    if rng.random() < 0.5:
        shape = "".join(
            f"<rect x={i * step:.1f} y={height - v:.1f} width={step * 0.7:.1f} height={v:.1f} />"
            for i, v in enumerate(values)
        )
        return f"<svg width={width} height={height} fill={page.tint()}>{shape}</svg>"
    path = " ".join(f"{i * step:.1f},{v:.1f}" for i, v in enumerate(values))
    rules = "".join(f"<line x2={width} y1={k * height / 4} y2={k * height / 4} stroke=#8885 />" for k in range(5))
    line = f"<polyline points='{path}' stroke={page.tint()} stroke-width={rng.uniform(1, 2.5):.1f} />"
    return f"<svg width={width} height={height} fill=none>{rules}{line}</svg>"


def columns(count: int, cells: str, how: str = "") -> str:
    """Return cells in a grid of as many columns."""
    return f"<div class=grid style='grid-template-columns: repeat({count}, minmax(0, 1fr)); {how}'>{cells}</div>"


def article(page: Page, side: int) -> str:
    """Return headings, paragraphs with links, a picture, a list."""
    rng, parts = page.rng, f"<h1>{page.say(5)}</h1><small>{page.name()} · {page.number()}</small>"
    for _ in range(5):
        parts += f"<p>{page.tell(30)} <a href='#'>{page.say(2)}</a> {page.tell(12)}</p>"
        if rng.random() < 0.3:
            parts += page.picture(rng.randint(150, max(side - 40, 151)), rng.randint(90, 200))
        if rng.random() < 0.4:
            items = "".join(f"<li>{page.say(6)}</li>" for _ in range(4))
            parts += f"<h3>{page.say(3)}</h3><ul>{items}</ul>"
    return f"<div style='padding: 4px 18px; columns: {rng.choice([1, 1, 1, 2])}'>{parts}</div>"


def shop(page: Page, side: int) -> str:
    """Return a grid of goods with pictures, prices, stars and buttons."""
    across = page.rng.randint(2, 4)
    wide, cells = max(side // across - 30, 40), ""
    for _ in range(across * 4):
        shown = f"{page.picture(wide, round(wide * 0.8))}<b>{page.say(2)}</b><br><small>{page.say(4)}</small><br>"
        buy = f"{page.number()} <span class=button>{page.say(1)}</span> {'★' * page.rng.randint(1, 5)}"
        cells += f"<div class=card>{shown}{buy}</div>"
    return columns(across, cells)


def board(page: Page, side: int) -> str:
    """Return a dashboard: figures, charts and a table."""
    across, cells, rows = page.rng.randint(2, 3), "", ""
    for _ in range(across * 2):
        figure = f"<h2 style='margin: 2px'>{page.number()}</h2>{chart(page, side // across - 40, 70)}"
        cells += f"<div class=card><small>{page.say(2)}</small>{figure}</div>"
    for _ in range(14):
        rows += f"<tr><td>{icon(page)}<td>{page.say(2)}" + "".join(f"<td>{page.number()}" for _ in range(5))
    return f"{columns(across, cells)}<table style='border-collapse: collapse; margin: 8px'>{rows}</table>"


def chat(page: Page, side: int) -> str:
    """Return what two say to each other, in bubbles."""
    rng, lines = page.rng, ""
    for _ in range(12):
        mine = rng.random() < 0.5
        said = f"{page.tell(rng.randint(3, 20))} <small>{rng.randint(0, 23)}:{rng.randint(0, 59):02d}</small>"
        face = "" if mine else page.picture(30, 30)
        lines += f"<div class='said {'mine' if mine else ''}'>{face}<div class=card>{said}</div></div>"
    return lines


def settings(page: Page, side: int) -> str:
    """Return a form of fields, boxes, sliders and menus."""
    rng, rows = page.rng, ""
    for _ in range(14):
        value = rng.randint(0, 100)
        field = rng.choice(
            [
                f"<input value='{page.say(2)}'>",
                f"<input type=checkbox {'checked' * (value % 2)}> {page.say(2)}",
                "".join(f"<label><input type=radio {'checked' * (i == 1)}> {page.say(1)}</label>" for i in range(3)),
                f"<input type=range value={value}> {value}",
                f"<select><option>{page.say(2)}</select> <button>{page.say(1)}</button>",
                f"<progress max=100 value={value}></progress> <span class=button>{page.say(1)}</span>",
                f"<input type=number value={value}> <meter value={value / 100}></meter>",
            ]
        )
        label = f"<div style='flex: 0 0 35%'>{page.say(2)}<br><small>{page.say(3)}</small></div>"
        rows += f"<div class=row>{icon(page)}{label}<div>{field}</div></div>"
    return f"<h2 style='margin: 8px 12px'>{page.say(2)}</h2>{rows}"


def editor(page: Page, side: int) -> str:
    """Return lines of code in colours, with numbers and a list of files."""
    rng, lines, depth = page.rng, "", 0
    inks, voice = [page.tint() for _ in range(5)], Voice("en_US", page.rng.choice(MONO))
    for i in range(40):
        a, b, c, d = (word.lower() for word in voice.words(rng, 4))
        text = rng.choice(
            [
                ["let", a, "=", f"{b}(", f'"{c} {d}"', ");"],
                ["if", f"({a}", "&&", f"{b})", "{"],
                ["}"],
                ["//", a, b, c, d],
                ["return", f"{a}.{b}", "+", str(rng.randint(0, 999)), ";"],
            ]
        )
        depth = min(max(depth + (text[-1] == "{") - (text[0] == "}"), 0), 5)
        coloured = " ".join(f"<span style=color:{rng.choice(inks)}>{html.escape(word)}</span>" for word in text)
        lines += f"<div><span style='opacity: .5'>{i + 1:3d} </span>{'  ' * depth}{coloured}</div>"
    files = "".join(f"<div style='padding: 2px'>{icon(page, 12)} {page.say(1)}</div>" for _ in range(16))
    tree = f"<div class=card style='flex: 0 0 {rng.randint(70, 130)}px'>{files}</div>"
    code = f"<pre style='font-family: \"{voice.family}\"; margin: 6px'>{lines}</pre>"
    return f"<div dir=ltr style='display: flex'>{tree}{code}</div>"


def mail(page: Page, side: int) -> str:
    """Return a list of messages or files."""
    rows = ""
    for _ in range(16):
        face = page.picture(28, 28) if page.rng.random() < 0.4 else icon(page, 22)
        text = f"<div class=wide><b>{page.name()}</b><br>{page.say(7)}</div><small>{page.number()}</small>"
        rows += f"<div class=row>{face}{text}</div>"
    return rows


def calendar(page: Page, side: int) -> str:
    """Return a month with entries."""
    days = ""
    for day in range(35):
        entries = "".join(
            f"<div class='button entry'>{page.say(2)}</div>" for _ in range(page.rng.choice([0, 0, 1, 2]))
        )
        days += f"<div class=card style='padding: 2px; min-height: 60px'><b>{day % 31 + 1}</b>{entries}</div>"
    return columns(7, days, "gap: 3px")


LAYOUTS: tuple[Callable[[Page, int], str], ...]
LAYOUTS = (article, article, shop, board, chat, settings, editor, mail, calendar)
