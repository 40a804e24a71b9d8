"""The FLOPs of the paper's Table 1."""

import pytest

from localsr.evaluation.paper import PAPER_COSTS, PAPER_SIZES, CountedCost, count_table_1
from localsr.inference.cost import count_roi
from localsr.inference.strategies import Strategy
from localsr.models.clsr import without_weights
from localsr.models.presets import PRESETS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> list[CountedCost]:
    return list(count_table_1())


def test_pre_and_post_cropping_are_the_paper_s(rows: list[CountedCost]) -> None:
    counted = [r for r in rows if r.strategy is not Strategy.CLSR]
    assert len(counted) == 25
    for row in counted:
        assert row.gflops == pytest.approx(row.paper, rel=0.02), row


def test_clsr_is_below_the_paper_s(rows: list[CountedCost]) -> None:
    ours = {(r.network, r.height): r for r in rows if r.strategy is Strategy.CLSR}
    assert len(ours) == 20
    for network in ("carn-m", "srresnet", "swinir-light", "swinir"):
        for height in (384, 576, 528):
            assert ours[network, height].gflops < ours[network, height].paper
    for network in ("carn-m", "srresnet"):
        assert ours[network, 144].gflops < ours[network, 144].paper


def test_clsr_does_not_grow_with_the_picture(rows: list[CountedCost]) -> None:
    for network in PAPER_COSTS:
        counted = [r.gflops for r in rows if r.network == network and r.strategy is Strategy.CLSR]
        assert max(counted) < 1.01 * min(counted)


@pytest.mark.parametrize("network", ["carn-m", "srresnet"])
def test_each_pixel_of_halo_costs(network: str) -> None:
    size = PAPER_SIZES["BSD100"]
    networks = [without_weights(PRESETS[network].with_halo(h)) for h in (0, 1, 2, 4, 8)]
    counted = [count_roi(each, Strategy.HALO, 24, size).roi for each in networks]
    assert counted == sorted(counted)
    assert counted[0] == count_roi(without_weights(PRESETS[network]), Strategy.CROP, 24, size).roi
