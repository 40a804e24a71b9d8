"""The table survives whatever ends a run."""

from pathlib import Path

import pytest
from batches import InlineEngine, stray

from localsr.batch.rows import ResultRow, Status
from localsr.batch.runner import run_batch
from localsr.batch.table import ResultTable, read_table
from localsr.errors import DataError


def test_two_runs_in_one_folder(many, setup) -> None:
    with ResultTable(setup.folder), pytest.raises(DataError, match="another process is at work"):
        run_batch(many, setup, lambda: InlineEngine(setup))


def test_the_table_survives(many, setup) -> None:
    with ResultTable(setup.folder) as table:
        table.add(
            [
                ResultRow("a", Status.DONE, output="1", finished=1.0),
                ResultRow("a", Status.DONE, output="2", finished=1.0),
            ]
        )
        table.keep()
        table.add([ResultRow("b", Status.FAILED, "broken", finished=2.0)])
        table.keep()
        table.add([ResultRow("c", Status.DONE, finished=3.0)])  # lost: it is killed here
    (Path(setup.folder) / ".parts/.localsr-123.part").write_bytes(b"half")
    with ResultTable(setup.folder) as table:
        assert [r.output for r in table.before("a", "")] == ["1", "2"]
        assert table.before("a", "other") == table.before("c", "") == []
        table.add([ResultRow("b", Status.DONE, finished=4.0)])
        rows = table.finish()
    assert [row.input for row in rows] == ["a", "a", "b"]
    assert {row.status for row in rows} == {Status.DONE}
    assert not stray(setup.folder)
    assert read_table(setup.folder) == rows
    (Path(setup.folder) / "results.parquet").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is no table of localsr"):
        ResultTable(setup.folder)


def test_many_parts_become_one(setup, monkeypatch) -> None:
    monkeypatch.setattr("localsr.batch.table.MAX_PARTS", 3)
    with ResultTable(setup.folder) as table:
        for k in range(8):
            table.add([ResultRow(f"{k}", Status.DONE, finished=float(k))])
            table.keep()
            assert len(list((Path(setup.folder) / ".parts").iterdir())) <= 3
        assert [row.input for row in table.finish()] == [str(k) for k in range(8)]
