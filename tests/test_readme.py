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
    house = re.findall(r"^\d\. `([\w/]+\.py)`", README, re.MULTILINE)
    assert len(house) == 7
    for name in house:
        assert (ROOT / "src/localsr" / name).is_file()
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README) + re.findall(r"recipes/[\w.-]+\.toml", README):
        assert (ROOT / name).is_file(), name


def test_the_doors_it_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for door in ("demo", "test"):
        assert f"make {door}" in README
        assert re.search(rf"^{door}: ", makefile, re.MULTILINE)
    assert "make check" in (ROOT / ".ci/run").read_text()


def test_the_results_are_those_of_the_committed_ones() -> None:
    from localsr.evaluation.report import assemble, document
    from localsr.inference.restorer import BICUBIC, embedded
    from localsr.models import checkpoint

    found = assemble.read(sorted((ROOT / "results/benchmark").iterdir()))
    assert document.spliced(README, document.markdown("", assemble.readme(found))) == README
    _, card = checkpoint.read(embedded()[BICUBIC[4]])
    for result in found:  # of the very weights in the package, and what their header says
        assert result.about["checkpoint"]["sha256"] == card.sha256
        own = card.protocol[result.about["protocol"]["data"]]["strategies"]
        for way, numbers in own.items():
            assert result.about["strategies"][way]["psnr_y"] == pytest.approx(numbers["psnr_y"], abs=1e-3)


def test_the_table_of_equal_steps_is_of_the_committed_results() -> None:
    from localsr.evaluation.report import assemble, document
    from localsr.inference.restorer import embedded
    from localsr.models import checkpoint

    found = assemble.read(sorted((ROOT / "results/equal-steps").iterdir()))
    text = (ROOT / "docs/equal-steps.md").read_text()
    assert document.spliced(text, document.markdown("", assemble.readme(found))) == text
    own = {name: checkpoint.read(path)[1].sha256 for name, path in embedded().items()}
    seen = {}
    for result in found:
        about = result.about["checkpoint"]
        seen[result.about["protocol"]["data"], result.about["protocol"]["roi"], about["name"]] = result
        assert about["sha256"] == own.get(about["name"], about["sha256"])  # of the very weights in the package
    for data in ("bsd100", "set14"):
        for roi in (24, 48):
            assert {"crop", "halo", "full"} <= set(seen[data, roi, "edsr-light-longer-x4"].about["strategies"])
            assert "clsr" in seen[data, roi, "clsr-light-x4"].about["strategies"]
        assert {"crop", "halo", "full"} <= set(seen[data, 24, "edsr-photo-longer-x4"].about["strategies"])
        assert "clsr" in seen[data, 24, "clsr-photo-x4"].about["strategies"]


def test_the_ablations_are_those_of_the_committed_results() -> None:
    from localsr.evaluation.report import ablations, assemble, document

    found = assemble.read([p for p in sorted((ROOT / "results/ablations").iterdir()) if p.is_dir()])
    tables = [table for kind in ablations.ABLATIONS for table in ablations.ablation(found, kind)]
    assert [len(table.rows) for table in tables] == [4, 5, 5]
    text = (ROOT / "docs/ablations.md").read_text()
    assert document.spliced(text, document.markdown("", tables)) == text
    halos = re.findall(r"^\| `?(\w+)[^|]* \| (\d+\.\d+) \| [\d.]+ \|$", text, re.MULTILINE)
    assert [halo for halo, _ in halos] == ["0", "1", "2", "4", "8", "full"]
    (carn,) = [result for result in found if "carn-m-authors" in str(result.folder)]
    for halo, psnr in halos:
        way = {"0": "crop", "full": "full"}.get(halo, f"halo-{halo}")
        assert f"{carn.about['strategies'][way]['psnr_y']:.3f}" == psnr
