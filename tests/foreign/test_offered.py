"""Imported networks where they are offered: the page and the service, a batch, cards."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from batches import InlineEngine, write_picture
from toy_graphs import graph
from typer.testing import CliRunner

import localsr
from localsr.batch.table import read_table
from localsr.cli import app
from localsr.cli.batch import EngineOptions
from localsr.conditions import Adjustment
from localsr.models.embedded import imported_folder
from localsr.models.licences import INVENTS, MAY_INVENT, caution
from localsr.serving import tasks
from localsr.serving.messages import PictureFile, RestorationFacts, RestoreTask, WorkerSettings

RUN = CliRunner().invoke


@pytest.fixture(autouse=True)
def _imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of others and an ESRGAN, imported."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    told = RUN(app, ["import", str(graph(tmp_path / "toy.onnx")), "--as", "blur"])
    assert told.exit_code == 0, told.output


def test_the_service_offers_and_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (imported_folder() / "torn.onnx").write_bytes(b"nothing")
    monkeypatch.setattr(tasks, "OFFERED_NETWORKS", ("edsr-light-x2",))
    with caplog.at_level(logging.WARNING):
        runner = tasks.TaskRunner(WorkerSettings((), "torch", "fp32", 64, 100, 100))
    assert "the imported network torn is not offered" in caplog.text
    offered = {network.name: network for network in runner.networks()}
    assert list(offered) == ["edsr-light-x2", "blur"]
    blur = offered["blur"]
    assert (blur.scale, blur.strategies, blur.default_strategy) == (2, ["crop", "halo", "full"], "halo")
    assert blur.description == f"ONNX x2, imported; {MAY_INVENT}"
    picture = write_picture(tmp_path / "a.png")
    file = PictureFile("a", picture, "a", any_size=False)
    task = RestoreTask(file, "1", [(3, 4, 20, 14)], "blur", None, None, None, "png", localsr.Saving(), Adjustment())
    facts = runner.run(task, tmp_path, lambda *_: None)
    assert isinstance(facts, RestorationFacts)
    assert (facts.network, facts.strategy, facts.precision) == ("blur", "halo", "fp32")
    expected = localsr.restore(picture, localsr.Box(3, 4, 20, 14), model="blur").pixels
    found = localsr.read(tmp_path / "result.png")
    assert np.abs(found.window(localsr.Box(0, 0, 34, 20)) - expected).max() <= 0.5 / 255 + 1e-6
    assert found.provenance is not None
    assert (found.provenance.network, found.provenance.precision) == ("blur", "fp32")


def test_a_batch_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineOptions, "start", lambda self, setup: InlineEngine(setup))
    write_picture(tmp_path / "in/a.png")
    done = RUN(app, ["batch", "in", "-o", "out", "--box", "1,1,9,9", "--model", "blur"])
    assert done.exit_code == 0, done.output
    (row,) = read_table(str(tmp_path / "out"))
    assert localsr.read(tmp_path / "out" / row.output).size == localsr.Size(18, 18)


def test_cards_say_that_detail_is_invented(tmp_path: Path) -> None:
    assert MAY_INVENT in RUN(app, ["models", "blur"]).stdout
    assert caution("b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d") == INVENTS
    assert not caution("d48a759a84509351facb6b7c6d5bd6edec98b98519b8c464ee4ab44d2ba964ff")
    with pytest.raises(localsr.ConfigError, match="blur is a network of others, which is not exported"):
        localsr.load("blur", runtime="onnx")
    (row,) = json.loads(RUN(app, ["models", "blur", "--json"]).stdout)["models"]
    assert row["caution"] == MAY_INVENT
