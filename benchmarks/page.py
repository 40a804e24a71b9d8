"""From the end of a drag to sharp pixels in a real browser: `python benchmarks/page.py [PHOTO [NETWORK]]`.

Twenty boxes of 64 x 64 px in a photo whose scene is encoded, drawn with the mouse in headless Chromium. Measured in the
page, from the time stamp of the pointer's release until after the frame in which the restored pixels are painted. With
a network that can be told how much to denoise, twenty steps of that slider, too. The server, two workers of it, and
the browser share the machine.
"""

from __future__ import annotations

import random
import re
import shutil
import statistics
import subprocess
import sys

import matplotlib.cbook
from playwright.sync_api import Page, sync_playwright

SIDE, WARM, COUNT = 64, 3, 20
BAR = 250  # ms, median
RELEASED = """
for (const kind of ["pointerup", "input"]) {
    addEventListener(kind, (event) => { window.released = event.timeStamp; }, { capture: true });
}
"""
TAKEN = """
() => new Promise((resolve) => {
    const found = () => {
        const [entry] = performance.getEntriesByName("localsr:sharp");
        if (!entry) return setTimeout(found, 2);
        const [asked] = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/restorations"));
        performance.clearMeasures();
        performance.clearResourceTimings();
        resolve([entry.startTime + entry.duration - window.released, asked.responseEnd - asked.startTime]);
    };
    found();
})
"""


def main() -> None:
    """Serve, draw, print a table."""
    photo = sys.argv[1] if len(sys.argv) > 1 else matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    command = [sys.executable, "-m", "localsr", "view", str(photo), "--no-browser"]
    command += ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(found[0] for line in server.stdout if (found := re.search(r"http://[\w.:]+", line)))
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                tab = browser.new_page(viewport={"width": 1280, "height": 800})
                columns = measure(tab, address)
                slid = slide(tab)
                browser.close()
        finally:
            server.terminate()
    print(f"{'ms':>24} {'median':>8} {'least':>8} {'most':>8}")
    names = ("drag end to sharp", "of it asked, answered", "of it in the network")
    taken = columns[0]
    for name, values in zip(names, columns, strict=True):
        print(f"{name:>24} {statistics.median(values):8.0f} {min(values):8.0f} {max(values):8.0f}")
    verdict = "below" if statistics.median(taken) < BAR else "NOT below"
    print(f"{len(taken)} boxes of {SIDE} x {SIDE}: the median is {verdict} {BAR} ms")
    if slid:
        least, most = min(slid), max(slid)
        print(f"{len(slid)} steps of a slider: median {statistics.median(slid):.0f} ms, {least:.0f} to {most:.0f}")


def measure(tab: Page, address: str) -> list[list[float]]:
    """Draw boxes at random places; milliseconds in all, from request to answer, and in the network by the server."""
    tab.add_init_script(RELEASED)
    tab.goto(address)
    tab.wait_for_selector("#work:not([hidden])")
    tab.wait_for_load_state("networkidle")
    tab.focus("#stage")
    tab.keyboard.press("1")  # a pixel of the picture is one of the screen
    tab.wait_for_timeout(1000)
    stage = tab.locator("#stage").bounding_box()
    assert stage is not None
    rng, rows = random.Random(0), []
    for _ in range(WARM + COUNT):
        x = stage["x"] + stage["width"] / 2 + rng.randint(-200, 200 - SIDE)
        y = stage["y"] + stage["height"] / 2 + rng.randint(-250, 250 - SIDE)
        with tab.expect_response("**/restorations") as answer:
            tab.mouse.move(x, y)
            tab.mouse.down()
            tab.mouse.move(x + SIDE / 2, y + SIDE / 2)
            tab.mouse.move(x + SIDE, y + SIDE)
            tab.mouse.up()
        taken = tab.evaluate(TAKEN)
        left, top, right, bottom = map(int, answer.value.headers["localsr-box"].split(","))
        assert (right - left, bottom - top) == (SIDE, SIDE)
        rows.append([*taken, 1000 * float(answer.value.headers["localsr-seconds"])])
        tab.wait_for_timeout(1500)  # bicubic and the prices have come, too
        tab.keyboard.press("Delete")
    return [list(column) for column in zip(*rows[WARM:], strict=True)]


def slide(tab: Page) -> list[float]:
    """Move the slider of noise step by step over a new box; milliseconds until each shows, none for other networks."""
    if not tab.is_visible("#denoise"):
        return []
    tab.focus("#stage")
    tab.keyboard.press("n")
    tab.wait_for_selector("#regions li[data-state=sharp]")
    tab.wait_for_timeout(1500)
    tab.evaluate("performance.clearMeasures(); performance.clearResourceTimings()")
    tab.focus("#denoise")
    taken = []
    for _ in range(WARM + COUNT):
        tab.keyboard.press("ArrowRight")
        taken.append(tab.evaluate(TAKEN)[0])
        tab.wait_for_timeout(300)
    return taken[WARM:]


if __name__ == "__main__":
    main()
