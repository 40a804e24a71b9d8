"""The report: every number in it is a result's, and the page needs nothing but itself."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from networks import restorer, tiny
from PIL import Image

import localsr
from localsr.evaluation.benchmark import Benchmark
from localsr.evaluation.methods import Way
from localsr.evaluation.protocol import evaluate
from localsr.evaluation.report import ablations, assemble, document, plots, tables
from localsr.evaluation.report.document import Figure, Heading, Table, Text
from localsr.evaluation.report.examples import extremes
from localsr.evaluation.report.tables import Setting
from localsr.evaluation.results import Result
from localsr.evaluation.timing import timings
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig

OF = Setting(4, "bicubic", 8)
WAYS = [Way.named(name) for name in ("bicubic", "crop", "halo-1", "halo-2", "halo", "clsr", "full")]
CONTEXTS = [Way.named(f"clsr-in-{k}") for k in (1, 2, 3)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """A network with context and its plain twin on four pictures."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "bsd100" / "HR").mkdir(parents=True)
    random = np.random.default_rng(0)
    for k in range(4):
        noise = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((140, 100), Image.Resampling.BICUBIC)
        picture.save(folder / "bsd100" / "HR" / f"{k}.png")
    benchmark = Benchmark(folder / "bsd100", 4, 8)
    context = evaluate(benchmark, restorer(tiny()), folder / "a", roi=8, ways=WAYS + CONTEXTS)
    plain = restorer(tiny(context=False))
    plain.card = dataclasses.replace(plain.card, name="plain", recipe={"steps": 9})
    return [context, evaluate(benchmark, plain, folder / "b", roi=8)]


def made(result: Result, folder: Path, about: dict[str, object]) -> Result:
    """A copy of a result with other claims."""
    told = json.loads(json.dumps(result.about)) | about
    return dataclasses.replace(result, folder=folder, about=told)


def test_table_1(results: list[Result]) -> None:
    table = tables.table_1(results, OF)
    assert [row[:2] for row in table.rows] == [
        *(
            (f"`{results[0].about['checkpoint']['name']}`", f"`{way}`")
            for way in ("bicubic", "crop", "halo", "clsr", "full")
        ),
        *(("`plain`", f"`{way}`") for way in ("bicubic", "crop", "halo", "full")),
    ]
    numbers = results[0].about["strategies"]["clsr"]
    assert table.rows[3][2:5] == (
        f"{np.mean(results[0].values('clsr')):.3f}",
        f"{numbers['ssim_y']:.4f}",
        f"{numbers['gflops_first_roi']:.2f}",
    )
    assert "paper" not in table.columns  # which has no ROI of 8


def test_the_papers_numbers_stand_where_it_has_them(results: list[Result], tmp_path: Path) -> None:
    carn = localsr.models.presets.PRESETS["carn-m"]
    one = results[0].about
    claims = {
        "model": carn.with_context().to_dict(),
        "protocol": one["protocol"] | {"roi": 24},
        "pictures": [str(k) for k in range(100)],
    }
    table = tables.table_1([made(results[0], tmp_path, claims)], Setting(4, "bicubic", 24))
    assert [row[5] for row in table.rows] == [
        "",
        "27.27 / 0.8839 / 0.65",
        "",
        "27.39 / 0.8854 / 1.63",
        "27.38 / 0.8854 / 35.37",
    ]
    for change in (
        {"pictures": one["pictures"]},  # four of a hundred are not the paper's
        {"model": ModelConfig().to_dict()},  # three stages, which no network of the paper has but CARN-M
        {"protocol": claims["protocol"] | {"rois": "some"}},
    ):
        table = tables.table_1([made(results[0], tmp_path, claims | change)], Setting(4, "bicubic", 24))
        assert "paper" not in table.columns


def test_differences_are_paired_and_ties_are_called_so(results: list[Result]) -> None:
    table = tables.differences(results, OF)
    assert table is not None
    found = {row[1].replace("`", ""): row[2] for row in table.rows}
    own = results[0].about["checkpoint"]["name"]
    apart = np.subtract(results[0].values("clsr"), results[0].values("halo"))
    assert found[f"{own}: clsr - halo"].startswith(f"{apart.mean():+.3f} (")
    across = np.subtract(results[0].values("clsr"), results[1].values("full"))
    assert found[f"{own} clsr - plain full"].startswith(f"{across.mean():+.3f} (")
    for told in found.values():
        low, high = map(float, re.findall(r"\(([+-][\d.]+) to ([+-][\d.]+)\)", told)[0])
        assert told.endswith(", a tie") == (low <= 0 <= high) or 0 in (low, high)  # rounded
    assert tables.spread((0.003, None, None)) == "+0.003 (of one picture: no interval)"
    assert tables.spread((0.01, -0.02, 0.04)) == "+0.010 (-0.020 to +0.040), a tie"
    assert tables.spread((-0.03, -0.04, -0.02)) == "-0.030 (-0.040 to -0.020)"


def test_ablations_take_what_is_there_and_invent_nothing(results: list[Result], tmp_path: Path) -> None:
    assert all(ablations.ablation(results, kind) == [] for kind in ablations.ABLATIONS)
    (modules, weights, _) = ablations.ABLATIONS
    base = results[0].about

    def variant(name: str, model: dict[str, object], recipe: dict[str, object]) -> Result:
        about = {
            "checkpoint": base["checkpoint"] | {"name": name},
            "model": base["model"] | model,
            "recipe": {"name": name, "steps": 7, "context_loss": [0.5, 0.0]} | recipe,
        }
        return made(results[0], tmp_path, about)

    none, pim = variant("none", {"gcm": False, "pim": False}, {}), variant("pim", {"gcm": False}, {})
    other = variant("longer", {"pim": False}, {"steps": 8})  # trained longer: no row of this table
    (table,) = ablations.ablation([none, pim, other], modules)
    assert [row[:3] for row in table.rows] == [
        ("no", "no", f"{np.mean(none.values('halo')):.3f}"),
        ("yes", "no", f"{np.mean(pim.values('clsr')):.3f}"),
        ("no", "yes", "not trained"),
        ("yes", "yes", "not trained"),
    ]
    assert table.rows[1][4] == "37.93"
    loss = [variant(f"l{v}", {}, {"context_loss": v}) for v in ([0.0, 0.0], [1.0, 1.0], [0.5, 0.0])]
    with pytest.raises(localsr.DataError, match="two are the same row"):
        ablations.ablation([none, pim, variant("again", {"gcm": False}, {"seed": 9})], modules)
    (table,) = ablations.ablation(loss, weights)
    assert [row[1] == "not trained" for row in table.rows] == [False, True, True, True, False]


def test_figures(results: list[Result]) -> None:
    assert plots.pareto(results, OF).png[:4] == b"\x89PNG"
    assert plots.input_size(results, OF) is not None
    assert plots.context_size(results, OF) is not None
    assert plots.input_size(results[1:], OF) is None
    assert plots.context_size(results[1:], OF) is None


def test_the_extremes_are_extreme(results: list[Result]) -> None:
    rois = results[0].rois()
    place = ["picture", "left", "top"]
    one, other = (rois.filter(rois["way"] == way).sort(place)["psnr_y"].to_numpy() for way in ("clsr", "halo"))
    apart = one - other
    found = extremes(rois, Way(Strategy.HALO))
    gains = [row["difference"] for kind, row in found if kind == "gain"]
    losses = [row["difference"] for kind, row in found if kind == "loss"]
    assert np.allclose(gains, [d for d in np.sort(apart)[::-1][:2] if d > 0])
    assert np.allclose(losses, [d for d in np.sort(apart)[:2] if d < 0])
    for example in results[0].about["examples"]:
        with Image.open(results[0].folder / "examples" / f"{example['name']}.png") as strip:
            assert strip.size == (32 * len(example["panels"]), 32)


def test_the_page_needs_nothing_else(results: list[Result], tmp_path: Path) -> None:
    parts = assemble.report(results)
    page = document.write(tmp_path, "a <title>", parts)
    text = page.read_text()
    assert "a &lt;title&gt;" in text
    assert "default-src 'none'; img-src data:" in text
    assert not re.findall(r"<(?:script|link|iframe)", text)
    assert all(address.startswith(("data:", "#")) for address in re.findall(r'(?:src|href)="([^"]*)"', text))
    assert not re.findall(r"https?:|url\(", text)
    assert text.count("<img") == sum(isinstance(part, Figure) for part in parts) > 5
    for part in parts:
        if isinstance(part, Table):
            with (tmp_path / f"{part.name}.csv").open() as file:
                assert len(list(csv.reader(file))) == len(part.rows) + 1
    for line in (tmp_path / "report.md").read_text().splitlines():
        if name := re.match(r"!\[.*\]\((.*)\)$", line):
            assert (tmp_path / name[1]).is_file()
    assert "Table 3: the modules: not trained." in text


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>`<b>`"
    rows = ((evil, "|"),)
    page = document.write(tmp_path, "t", [Heading(evil), Text(evil), Table("t", evil, (evil, "b"), rows, evil)])
    assert "<script" not in page.read_text()
    assert "\\|" in (tmp_path / "report.md").read_text()


def test_into_a_readme() -> None:
    marked = "before\n<!-- results -->\nold\n<!-- /results -->\nafter"
    once = document.spliced(marked, "new\n")
    assert once == "before\n<!-- results -->\n\nnew\n\n<!-- /results -->\nafter"
    assert document.spliced(once, "new") == once
    for text in ("", "<!-- results -->", "<!-- /results --><!-- results -->", marked * 2):
        with pytest.raises(ValueError, match="lacks"):
            document.spliced(text, "new")


def test_two_results_of_one_thing_are_refused(results: list[Result]) -> None:
    with pytest.raises(localsr.DataError, match="are both of plain on bsd100"):
        assemble.report([*results, results[1]])
    with pytest.raises(localsr.DataError, match="at least one result"):
        assemble.report([])


def test_what_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(localsr.DataError, match=r"lacks result\.json"):
        Result.read(tmp_path)
    (tmp_path / "result.json").write_text("[1]")
    (tmp_path / "pictures.parquet").write_bytes(b"no")
    with pytest.raises(localsr.DataError, match="can be read"):
        Result.read(tmp_path)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("protocol", {}),
        ("checkpoint", {"name": "../../escaped"}),
        ("model", {"stages": "many"}),
        ("ways", ["best"]),
        ("strategies", {}),
        ("strategies", 3),
        ("pictures", [1]),
        ("recipe", []),
        ("examples", [{"name": "../../private", "box": [0, 0, 1, 1], "difference": 1.0}]),
        ("examples", [{"name": "a"}]),
        ("examples", 3),
    ],
)
def test_foreign_results(results: list[Result], tmp_path: Path, part: str, value: object) -> None:
    for name in ("pictures.parquet", "rois.parquet"):
        (tmp_path / name).write_bytes((results[0].folder / name).read_bytes())
    about = json.loads((results[0].folder / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(about))
    assert Result.read(tmp_path).about == results[0].about
    (tmp_path / "result.json").write_text(json.dumps(about | {part: value}))
    with pytest.raises(localsr.DataError, match="can be read"):
        Result.read(tmp_path)
    (tmp_path / "result.json").write_text("[" * 100_000)
    with pytest.raises(localsr.DataError, match="can be read"):
        Result.read(tmp_path)


def test_results_of_other_pictures_do_not_share_a_column(results: list[Result], tmp_path: Path) -> None:
    about = {"pictures": ["0.png"], "checkpoint": results[1].about["checkpoint"] | {"name": "other"}}
    with pytest.raises(localsr.DataError, match="of other pictures of bsd100"):
        assemble.report([*results, made(results[1], tmp_path, about)])


def test_timing(results: list[Result]) -> None:
    heard: list[tuple[int, int]] = []
    measured = timings(
        "edsr-light-x4", [Strategy.CROP], 8, "cpu", "bf16", lambda *done: heard.append(done), names=("BSD100",)
    )
    assert heard == [(1, 1)]
    assert (measured["precision"], "threads" in measured["machine"]) == ("bf16", True)
    (row,) = measured["rows"]
    assert (row["strategy"], row["size"]) == ("crop", "216 x 144")
    assert 0 < row["later"]
    assert 0 < row["first"]
    assert 50 < row["peak_mb"] < 4000
    (table,) = tables.timing_table([dataclasses.replace(results[0], timing=measured), results[1]])
    assert table.rows[0][1] == "216 x 144"
