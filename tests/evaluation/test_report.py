"""The report: every number in it is a result's, and the page needs nothing but itself."""

import csv
import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import table_3
from networks import restorer, tiny
from PIL import Image

import localsr
from localsr.evaluation.benchmark import Benchmark
from localsr.evaluation.examples import find_extremes
from localsr.evaluation.methods import Method
from localsr.evaluation.protocol import evaluate
from localsr.evaluation.records import MAX_JSON_BYTES, Interval, ResultRecord, json_bytes, plain_values
from localsr.evaluation.report import ablations, plots, tables, unpadded
from localsr.evaluation.report.document import Figure, Heading, ReportTable, Text, insert_results
from localsr.evaluation.report.page import write_report
from localsr.evaluation.report.sections import report_parts
from localsr.evaluation.report.told import WHOLE, make_told_tables
from localsr.evaluation.results import Result, Setting
from localsr.evaluation.timing import measure_timing
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig
from localsr.training.config import Recipe

OF = Setting(4, "bicubic", 8)
METHODS = [Method.named(name) for name in ("bicubic", "crop", "halo-1", "halo-2", "halo", "clsr", "full")]
CONTEXTS = [Method.named(f"clsr-in-{k}") for k in (1, 2, 3)]


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
    context = evaluate(benchmark, restorer(tiny()), folder / "a", roi=8, methods=METHODS + CONTEXTS)
    plain = restorer(tiny(context=False))
    plain.card = dataclasses.replace(plain.card, name="plain", recipe={"steps": 9})
    return [context, evaluate(benchmark, plain, folder / "b", roi=8)]


def changed(result: Result, folder: Path, claims: dict[str, object]) -> Result:
    """A copy of a result with other claims."""
    record = msgspec.convert(plain_values(result.record) | claims, ResultRecord)
    return dataclasses.replace(result, folder=folder, record=record)


def test_table_1(results: list[Result]) -> None:
    table = tables.make_table_1(results, OF)
    assert [row[:2] for row in table.rows] == [
        *((f"`{results[0].network}`", f"`{name}`") for name in ("bicubic", "crop", "halo", "clsr", "full")),
        *(("`plain`", f"`{name}`") for name in ("bicubic", "crop", "halo", "full")),
    ]
    means = results[0].record.means["clsr"]
    assert table.rows[3][2:5] == (
        f"{np.mean(results[0].values('clsr')):.3f}",
        f"{means.ssim_y:.4f}",
        f"{means.gflops_first_roi:.2f}",
    )
    assert "paper" not in table.columns  # which has no ROI of 8


def test_the_papers_numbers_stand_where_it_has_them(results: list[Result], tmp_path: Path) -> None:
    carn = localsr.models.presets.PRESETS["carn-m"]
    one = plain_values(results[0].record)
    claims = {
        "model": carn.with_context().to_dict(),
        "protocol": one["protocol"] | {"roi": 24},
        "pictures": [str(k) for k in range(100)],
    }
    table = tables.make_table_1([changed(results[0], tmp_path, claims)], Setting(4, "bicubic", 24))
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
        table = tables.make_table_1([changed(results[0], tmp_path, claims | change)], Setting(4, "bicubic", 24))
        assert "paper" not in table.columns


def test_differences_are_paired_and_ties_are_called_so(results: list[Result]) -> None:
    table = tables.make_differences_table(results, OF)
    assert table is not None
    found = {row[1].replace("`", ""): row[2] for row in table.rows}
    own = results[0].network
    apart = np.subtract(results[0].values("clsr"), results[0].values("halo"))
    assert found[f"{own}: clsr - halo"].startswith(f"{apart.mean():+.3f} (")
    across = np.subtract(results[0].values("clsr"), results[1].values("full"))
    assert found[f"{own} clsr - plain full"].startswith(f"{across.mean():+.3f} (")
    for told in found.values():
        low, high = map(float, re.findall(r"\(([+-][\d.]+) to ([+-][\d.]+)\)", told)[0])
        assert told.endswith(", a tie") == (low <= 0 <= high) or 0 in (low, high)  # rounded
    assert str(Interval(0.003, None, None)) == "+0.003 (of one picture: no interval)"
    assert str(Interval(0.01, -0.02, 0.04)) == "+0.010 (-0.020 to +0.040), a tie"
    assert str(Interval(-0.03, -0.04, -0.02)) == "-0.030 (-0.040 to -0.020)"


def test_ablations_take_what_is_there_and_invent_nothing(results: list[Result], tmp_path: Path) -> None:
    assert all(ablations.make_ablation_tables(results, kind) == [] for kind in ablations.ABLATIONS)
    (modules, weights, _) = ablations.ABLATIONS
    base = plain_values(results[0].record)

    def variant(name: str, model: dict[str, object], recipe: dict[str, object]) -> Result:
        claims = {
            "checkpoint": base["checkpoint"] | {"name": name},
            "model": base["model"] | model,
            "recipe": {"name": name, "steps": 7, "context_loss": [0.5, 0.0]} | recipe,
        }
        return changed(results[0], tmp_path, claims)

    none, pim = variant("none", {"gcm": False, "pim": False}, {}), variant("pim", {"gcm": False}, {})
    other = variant("longer", {"pim": False}, {"steps": 8})  # trained longer: no row of this table
    (table,) = ablations.make_ablation_tables([none, pim, other], modules)
    assert [row[:3] for row in table.rows] == [
        ("no", "no", f"{np.mean(none.values('halo')):.3f}"),
        ("yes", "no", f"{np.mean(pim.values('clsr')):.3f}"),
        ("no", "yes", "not trained"),
        ("yes", "yes", "not trained"),
    ]
    assert table.rows[1][4] == "37.93"
    loss = [variant(f"l-{v[0]}-{v[1]}", {}, {"context_loss": v}) for v in ([0.0, 0.0], [1.0, 1.0], [0.5, 0.0])]
    with pytest.raises(localsr.DataError, match="two are the same row"):
        ablations.make_ablation_tables([none, pim, variant("again", {"gcm": False}, {})], modules)
    (table,) = ablations.make_ablation_tables(loss, weights)
    assert [row[1] == "not trained" for row in table.rows] == [False, True, True, True, False]


def test_table_3_without_padding(results: list[Result], tmp_path: Path) -> None:
    base = plain_values(results[0].record)

    def variant(halo: int, pim: bool, gcm: bool, seed: int, gain: float) -> Result:
        claims = {
            "checkpoint": base["checkpoint"] | {"name": f"row-{halo}-{pim}-{gcm}-{seed}"},
            "model": base["model"] | {"halo": [halo] * 3, "pim": pim, "gcm": gcm},
            "recipe": {"name": "row", "init": "start", "steps": 7, "seed": seed},
        }
        one = changed(results[0], tmp_path, claims)
        return dataclasses.replace(one, pictures=[row._replace(psnr_y=20.0 + gain) for row in one.pictures])

    gains = {(0, False, False): 0.0, (0, True, False): 0.03, (0, True, True): 0.06, (4, False, False): 0.09}
    made = [variant(*row, seed, gain + 0.01 * seed * row[1]) for row, gain in gains.items() for seed in (0, 1)]
    full = variant(8, False, False, 0, 0.1)
    (table,) = unpadded.make_unpadded_tables([*made, full])
    found = {row[0]: row[1:5] for row in table.rows}
    gflops = {way: f"{base['strategies'][way]['gflops_first_roi']:.2f}" for way in ("crop", "clsr", "halo", "full")}
    assert found == {
        "`crop`": ("2", "20.000", gflops["crop"], "0%"),
        "PIM": ("2", "20.035", gflops["clsr"], "35%"),
        "GCM": ("0", "not trained", "", ""),
        "PIM + GCM": ("2", "20.065", gflops["clsr"], "65%"),
        "`halo` 2": ("0", "not trained", "", ""),
        "`halo` 4": ("2", "20.090", gflops["halo"], "90%"),
        "`full`": ("1", "20.100", gflops["full"], "100%"),
    }
    assert [row[6] for row in table.rows if row[0] in ("PIM", "`full`")] == ["+0.030 to +0.040", ""]
    assert "from start, 7 steps" in table.title
    assert unpadded.make_unpadded_tables(made[2:]) == []  # without `crop` there is no way to close
    with pytest.raises(localsr.DataError, match="give one result a row and seed"):
        unpadded.make_unpadded_tables([*made, variant(0, False, False, 0, 0.2)])
    text = write_report(tmp_path / "r", "t", report_parts([*made, full])).read_text()
    assert "Table 3 without padding" in text
    assert "mean of up to 2 seeds a row" in text


@pytest.mark.parametrize("recipe", ["table-3", "table-3-carn-m"])
def test_rows_of_table_3_differ_in_what_they_see_alone(recipe: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / f"recipes/{recipe}.toml"
    read = Recipe.read(path)
    rows = {row: Recipe.read(path, table_3.settings_of(row, read, 5)) for row in table_3.ROWS}
    assert {row: (set(r.model.halo), r.model.pim, r.model.gcm) for row, r in rows.items()} == {
        row: ({halo}, pim, gcm) for row, (halo, pim, gcm, _) in table_3.ROWS.items()
    }
    for row in rows.values():
        assert (row.name.startswith(recipe), row.seed) == (True, 5)
        aside = {"name": "row", "seed": 0, "model": row.model.without_context().with_halo(0)}
        assert dataclasses.replace(row, **aside) == dataclasses.replace(rows["crop"], **aside)
    asked = SimpleNamespace(recipe=path, set=[], runs=tmp_path, root=tmp_path, data=["bsd100"], results=tmp_path)
    name = rows["pim"].name
    train, measure = table_3.commands_of("pim", 5, asked)
    assert "--resume" not in train
    assert measure[measure.index("--strategy") + 1] == "clsr"
    (tmp_path / name).mkdir()
    (tmp_path / name / "last.ckpt").touch()
    assert table_3.commands_of("pim", 5, asked)[0][-1] == "--resume"
    (tmp_path / name / f"{name}.safetensors").touch()
    assert table_3.commands_of("pim", 5, asked) == [measure]


def test_what_estimates_are_worth(results: list[Result], tmp_path: Path) -> None:
    names = ("halo", "halo-by-roi", "halo-by-truth")
    base = plain_values(results[0].record)
    claims = {"ways": list(names), "strategies": dict.fromkeys(names, base["strategies"]["halo"])}
    halo = [row for row in results[0].pictures if row.way == "halo"]
    gains = zip(names, (0.0, -0.25, 0.125), strict=True)
    rows = [row._replace(way=name, psnr_y=row.psnr_y + gain) for name, gain in gains for row in halo]
    one = dataclasses.replace(changed(results[0], tmp_path, claims), pictures=rows)
    (table,) = make_told_tables([one, results[1]])
    assert [row[0] for row in table.rows] == ["the ROI alone", WHOLE, "the truth"]
    assert [row[2][:6] for row in table.rows] == ["-0.250", "", "+0.125"]


def test_figures(results: list[Result]) -> None:
    assert plots.plot_pareto(results, OF).png[:4] == b"\x89PNG"
    assert plots.plot_input_size(results, OF) is not None
    assert plots.plot_context_size(results, OF) is not None
    assert plots.plot_input_size(results[1:], OF) is None
    assert plots.plot_context_size(results[1:], OF) is None


def test_the_extremes_are_extreme(results: list[Result]) -> None:
    rois = results[0].rois()
    one, other = (sorted((row[0], *row[2:5]) for row in rois if row.way == name) for name in ("clsr", "halo"))
    assert [row[:3] for row in one] == [row[:3] for row in other]
    apart = np.array([a[3] - b[3] for a, b in zip(one, other, strict=True)])
    found = find_extremes(rois, Method(Strategy.HALO))
    gains = [one.difference for one in found if one.kind == "gain"]
    losses = [one.difference for one in found if one.kind == "loss"]
    assert np.allclose(gains, [d for d in np.sort(apart)[::-1][:2] if d > 0])
    assert np.allclose(losses, [d for d in np.sort(apart)[:2] if d < 0])
    for example in results[0].record.examples:
        with Image.open(results[0].folder / "examples" / f"{example.name}.png") as strip:
            assert strip.size == (32 * len(example.panels), 32)


def test_the_page_needs_nothing_else(results: list[Result], tmp_path: Path) -> None:
    parts = report_parts(results)
    page = write_report(tmp_path, "a <title>", parts)
    text = page.read_text()
    assert "a &lt;title&gt;" in text
    assert "default-src 'none'; img-src data:" in text
    assert not re.findall(r"<(?:script|link|iframe)", text)
    assert all(address.startswith(("data:", "#")) for address in re.findall(r'(?:src|href)="([^"]*)"', text))
    assert not re.findall(r"https?:|url\(", text)
    assert text.count("<img") == sum(isinstance(part, Figure) for part in parts) > 5
    for part in parts:
        if isinstance(part, ReportTable):
            with (tmp_path / f"{part.name}.csv").open() as file:
                assert len(list(csv.reader(file))) == len(part.rows) + 1
    for line in (tmp_path / "report.md").read_text().splitlines():
        if name := re.match(r"!\[.*\]\((.*)\)$", line):
            assert (tmp_path / name[1]).is_file()
    assert "Table 3: the modules: not trained." in text


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>`<b>`"
    rows = ((evil, "|"),)
    page = write_report(tmp_path, "t", [Heading(evil), Text(evil), ReportTable("t", evil, (evil, "b"), rows, evil)])
    assert "<script" not in page.read_text()
    assert "\\|" in (tmp_path / "report.md").read_text()


def test_into_a_readme() -> None:
    marked = "before\n<!-- results -->\nold\n<!-- /results -->\nafter"
    once = insert_results(marked, "new\n")
    assert once == "before\n<!-- results -->\n\nnew\n\n<!-- /results -->\nafter"
    assert insert_results(once, "new") == once
    for text in ("", "<!-- results -->", "<!-- /results --><!-- results -->", marked * 2):
        with pytest.raises(ValueError, match="lacks"):
            insert_results(text, "new")


def test_two_results_of_one_thing_are_refused(results: list[Result]) -> None:
    with pytest.raises(localsr.DataError, match="are both of plain on bsd100"):
        report_parts([*results, results[1]])
    with pytest.raises(localsr.DataError, match="at least one result"):
        report_parts([])


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
    assert Result.read(tmp_path).record == results[0].record
    (tmp_path / "result.json").write_text(json.dumps(about | {part: value}))
    with pytest.raises(localsr.DataError, match="can be read"):
        Result.read(tmp_path)
    (tmp_path / "result.json").write_text("[" * 100_000)
    with pytest.raises(localsr.DataError, match="can be read"):
        Result.read(tmp_path)


def test_files_are_read_as_they_were_written_whatever_else_they_hold(results: list[Result], tmp_path: Path) -> None:
    for name in ("pictures.parquet", "rois.parquet"):
        (tmp_path / name).write_bytes((results[0].folder / name).read_bytes())
    text = (results[0].folder / "result.json").read_bytes()
    assert json_bytes(plain_values(results[0].record)) == text
    about = json.loads(text)
    about["later"] = about["protocol"]["later"] = 1  # of a version to come
    for key in ("border", "levels", "torch"):  # of an earlier one
        del about["protocol"][key]
    del about["files"], about["differences"], about["checkpoint"]["plain"]
    (tmp_path / "result.json").write_text(json.dumps(about))
    record = Result.read(tmp_path).record
    assert (record.means, record.examples) == (results[0].record.means, results[0].record.examples)
    assert not {"border", "later"} & plain_values(record)["protocol"].keys()
    with (tmp_path / "result.json").open("ab") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(localsr.DataError, match="more than the 67108864 of any result"):
        Result.read(tmp_path)


def test_results_of_other_pictures_do_not_share_a_column(results: list[Result], tmp_path: Path) -> None:
    claims = {"pictures": ["0.png"], "checkpoint": {"name": "other", "sha256": "0"}}
    with pytest.raises(localsr.DataError, match="of other pictures of bsd100"):
        report_parts([*results, changed(results[1], tmp_path, claims)])


@pytest.mark.slow
def test_timing(results: list[Result]) -> None:
    heard: list[tuple[int, int]] = []
    measured = measure_timing(
        "edsr-light-x4", [Strategy.CROP], 8, "cpu", "bf16", lambda *done: heard.append(done), names=("BSD100",)
    )
    assert heard == [(1, 1)]
    assert (measured.precision, "threads" in measured.machine) == ("bf16", True)
    (row,) = measured.rows
    assert (row.strategy, row.size) == ("crop", "216 x 144")
    assert 0 < row.later
    assert 0 < row.first
    assert 50 < row.peak_mb < 4000
    (table,) = tables.make_timing_tables([dataclasses.replace(results[0], timing=measured), results[1]])
    assert table.rows[0][1] == "216 x 144"
