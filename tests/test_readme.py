"""What the README says is so."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_library_in_six_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("street.jpg")
    exec(compile(code, "README.md", "exec"), {})
    with Image.open("sign.png") as sign:
        assert sign.size == (512, 512)


def test_the_files_it_names_are_there() -> None:
    architecture = (ROOT / "docs/architecture.md").read_text()
    reading_order = re.findall(r"^\d\. `([\w/]+\.py)`", architecture, re.MULTILINE)
    assert len(reading_order) == 7
    drawn = re.findall(r"^([\w/]+) :: ", architecture, re.MULTILINE)
    assert len(drawn) >= 20
    for name in reading_order + drawn:
        path = ROOT / "src/localsr" / name
        assert path.is_file() or path.with_suffix(".py").is_file() or path.is_dir(), name
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).is_file(), name


def test_the_doors_it_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for door in ("demo", "test"):
        assert f"make {door}" in README
        assert re.search(rf"^{door}: ", makefile, re.MULTILINE)
    assert "make check" in (ROOT / ".ci/run").read_text()


def test_the_results_are_those_of_the_committed_ones() -> None:
    from localsr.evaluation.report.document import insert_results, to_markdown
    from localsr.evaluation.report.sections import read_results, readme_parts
    from localsr.models import checkpoint
    from localsr.models.embedded import BENCHMARK_NETWORKS, embedded_networks

    found = read_results(sorted((ROOT / "results/benchmark").iterdir()))
    text = (ROOT / "docs/context.md").read_text()
    assert insert_results(text, to_markdown("", readme_parts(found))) == text
    _, card = checkpoint.read(embedded_networks()[BENCHMARK_NETWORKS[4]])
    for result in found:  # of the very weights in the package, and what their header says
        assert result.record.checkpoint.sha256 == card.sha256
        own = card.protocol[result.data]["strategies"]
        for method, numbers in own.items():
            assert result.record.means[method].psnr_y == pytest.approx(numbers["psnr_y"], abs=1e-3)


def test_the_table_of_equal_steps_is_of_the_committed_results() -> None:
    from localsr.evaluation.report.document import insert_results, to_markdown
    from localsr.evaluation.report.sections import read_results, readme_parts

    found = read_results(sorted((ROOT / "results/equal-steps").iterdir()))
    text = (ROOT / "docs/equal-steps.md").read_text()
    assert insert_results(text, to_markdown("", readme_parts(found))) == text
    seen = {(result.data, result.setting.roi, result.network): result for result in found}
    for data in ("bsd100", "set14"):
        for roi in (24, 48):
            assert {"crop", "halo", "full"} <= set(seen[data, roi, "edsr-light-longer-x4"].record.means)
            assert "clsr" in seen[data, roi, "clsr-light-x4"].record.means
        assert {"crop", "halo", "full"} <= set(seen[data, 24, "edsr-photo-longer-x4"].record.means)
        assert "clsr" in seen[data, 24, "clsr-photo-x4"].record.means


def test_the_ablations_are_those_of_the_committed_results() -> None:
    from localsr.evaluation.report.ablations import ABLATIONS, make_ablation_tables
    from localsr.evaluation.report.document import insert_results, to_markdown
    from localsr.evaluation.report.sections import read_results

    found = read_results([p for p in sorted((ROOT / "results/ablations").iterdir()) if p.is_dir()])
    tables = [table for kind in ABLATIONS for table in make_ablation_tables(found, kind)]
    assert [len(table.rows) for table in tables] == [4, 5, 5]
    text = (ROOT / "docs/ablations.md").read_text()
    assert insert_results(text, to_markdown("", tables)) == text
    halos = re.findall(r"^\| `?(\w+)[^|]* \| (\d+\.\d+) \| [\d.]+ \|$", text, re.MULTILINE)
    assert [halo for halo, _ in halos] == ["0", "1", "2", "4", "8", "full"]
    (carn,) = [result for result in found if "carn-m-authors" in str(result.folder)]
    for halo, psnr in halos:
        method = {"0": "crop", "full": "full"}.get(halo, f"halo-{halo}")
        assert f"{carn.record.means[method].psnr_y:.3f}" == psnr
