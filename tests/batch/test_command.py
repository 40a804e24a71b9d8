"""`localsr batch` from the command line, and its contact sheet."""

import base64
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from batches import InlineEngine, write_picture
from typer.testing import CliRunner

from localsr.batch.table import read_table
from localsr.cli import app
from localsr.cli.batch import EngineOptions


@pytest.fixture
def command(monkeypatch, tmp_path, setup):
    """The command with an engine in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(EngineOptions, "start", lambda self, setup: InlineEngine(setup))

    def call(*args):
        return CliRunner().invoke(app, ["batch", *args, "--model", setup.model])

    return call


def test_a_folder_from_the_command(command, many, tmp_path) -> None:
    (tmp_path / "in/broken.jpg").write_bytes(b"nothing")
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--contact-sheet", "sheet.html")
    assert result.exit_code == 3, result.output
    assert "12 done (12 regions), 1 failed" in result.output
    assert "12 of 12 regions, before and after" in result.output
    again = command("in", "-o", "out", "--box", "1,1,9,9", "--json")
    told = json.loads(again.stdout)
    assert told == {
        "pictures": 13,
        "done": 12,
        "empty": 0,
        "failed": 1,
        "set aside": 0,
        "regions": 12,
        "refused": 0,
        "kept": 12,
        "noted": 0,
    }


def test_the_table_of_a_run_asks_for_the_same_again(command, many, tmp_path, setup) -> None:
    """As `--boxes` of the same pictures, and as a manifest; a row without a region asks for none."""
    (tmp_path / "in/broken.jpg").write_bytes(b"nothing")
    assert command("in", "-o", "out", "--box", "1,1,9,9").exit_code == 3
    (tmp_path / "in/broken.jpg").unlink()
    assert command("in", "-o", "again", "--boxes", "out/results.parquet").exit_code == 0
    assert command("again/results.parquet", "-o", "thrice").exit_code == 0
    done = [
        [(row.input, row.box) for row in read_table(f"{tmp_path}/{folder}") if row.status == "done"]
        for folder in ("out", "again", "thrice")
    ]
    assert len(done[0]) == 12
    assert done[0] == done[1] == done[2]


def test_the_page_needs_nothing_and_runs_only_its_own(command, many, tmp_path) -> None:
    (tmp_path / "m.csv").write_text('picture,box,label\nin/00.png,"1,1,9,9","<script>alert(1)</script>"\n')
    assert command("m.csv", "-o", "out", "--contact-sheet", "sheet.html").exit_code == 0
    page = (tmp_path / "sheet.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert page.count("data:image/webp;base64,") == 2
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)


def test_many_regions_are_shown_in_part(command, many, monkeypatch) -> None:
    monkeypatch.setattr("localsr.batch.contact_sheet.MAX_CARDS", 5)
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--contact-sheet", "sheet.html")
    assert "5 of 12 regions, before and after" in result.output
    assert "5 of them here, spread over all" in Path("sheet.html").read_text()


def test_the_estimate_comes_first(command, many) -> None:
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--dry-run", "--workers", "2")
    assert "12 pictures, all of them opened\n12 regions, 0.0 megapixels of results" in result.output
    assert "with 2 workers on this machine" in result.output
    assert not Path("out").exists()
    told = json.loads(command("in", "-o", "out", "--box", "1,1,9,9", "--dry-run", "--json").stdout)
    assert told["regions"] == 12
    assert told["pixels"] == 12 * 81 * 16


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--engine", "spark"], "not one of local, ray"),
        (["--address", "auto"], "add --engine ray"),
        (["--contact-sheet", "page.png"], "must end in .html"),
        (["--layout", "{stem}.png"], "must have {key}"),
        (["--box", "1,1,9"], "no region"),
        (["--pattern", "*.gif"], "no pictures by"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(command, many, args, told) -> None:
    result = command("in", "-o", "out", *(["--box", "1,1,9,9"] if "--box" not in args else []), *args)
    assert result.exit_code == 2
    assert told in result.output
    assert not Path("out").exists()


def test_names_that_are_no_text_are_told_apart(command, tmp_path) -> None:
    for name in (b"\xff\xfe.png", b"\xfe\xff.png"):
        Path(write_picture(tmp_path / "in/a.png")).rename(os.fsdecode(os.fsencode(tmp_path) + b"/in/" + name))
    for kept in (0, 2):
        result = command("in", "-o", "out", "--box", "1,1,9,9", "--json", "--contact-sheet", "sheet.html")
        assert json.loads(result.stdout)["kept"] == kept, result.output
    assert len({row.input for row in read_table("out")}) == 2
