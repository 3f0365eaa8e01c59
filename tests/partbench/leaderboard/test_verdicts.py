from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from planted_results import TASKS, frame, on_all_tasks, planted, row
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from partbench.leaderboard.judged import judged
from partbench.leaderboard.pairs import pairs, pairs_of
from partbench.leaderboard.standings import standings, standings_of


def world(values: np.ndarray, higher: bool = False, **changes: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results with these values of images (explainer, task, seed, image), some NaN."""
    rows, images = [], []
    for (e, t, s), of_images in ((at, values[at]) for at in np.ndindex(values.shape[:3])):
        made = row(f"e{e}", f"t{t}", float(np.nanmean(of_images)), seed=s, higher_is_better=higher, **changes)
        rows.append(made)
        who = {name: made[name] for name in ("cell", "explainer", "variant", "task", "seed", "metric")}
        images.append(pd.DataFrame(who | {"unit": [f"{t} {i}" for i in range(len(of_images))], "value": of_images}))
    return frame(rows), pd.concat(images)


def random_world(entropy: int, missing: float = 0.05) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five explainers, neighbours little apart, with a few values missing here and there."""
    random = np.random.default_rng(entropy)
    shared, own = random.normal(size=(1, 2, 1, 40)), random.normal(size=(5, 2, 1, 40)) / 3
    values = shared + own + np.arange(5).reshape(5, 1, 1, 1) * 0.1 + 0.05 * random.normal(size=(5, 2, 3, 40))
    absent = random.random((5, 2, 1, 40)) < missing
    return world(np.where(absent, np.nan, values), higher=bool(entropy % 2))


@pytest.mark.parametrize("entropy", range(6))
def test_no_explainer_is_surely_better_than_one_whose_mean_is_better(entropy: int) -> None:
    rows, images = random_world(entropy)
    table = standings(rows, images).set_index("explainer")
    found = pairs(rows, images)
    sign = 1 if entropy % 2 else -1
    for pair in found.to_dict("records"):
        a, b = (sign * table.loc[pair[name], "value"] for name in "ab")
        assert pair["verdict"] != "a better" or a > b
        assert pair["verdict"] != "b better" or b > a
    assert set(found["verdict"]) & {"a better", "b better"}


def test_means_that_disagree_with_the_images_of_both_leave_a_pair_undecided() -> None:
    """e1 is better on the images that both have, and e0 on average: its other images are far better."""
    random = np.random.default_rng(0)
    values = np.stack([random.normal(size=(1, 2, 40)) * 0.01 for _ in range(2)])
    values[0] += 0.2
    values[0, :, :, :3], values[1, :, :, :3] = -50, np.nan
    rows, images = world(values)
    table = standings(rows, images).set_index("explainer")
    assert table.loc["e0", "value"] < table.loc["e1", "value"]
    found = pairs(rows, images).iloc[0]
    assert found["difference"] > 0
    assert found["p_adjusted"] < 1e-6
    assert found["verdict"] == "not separated"


def test_rank_intervals_count_the_pairs_surely_better_and_worse() -> None:
    rows, images = random_world(3, missing=0)
    found = judged(rows, images)
    table, of_pairs = standings_of(found).set_index("explainer"), pairs_of(found)
    pd.testing.assert_frame_equal(of_pairs, pairs(rows, images))
    for name, one in table.iterrows():
        lost = ((of_pairs["a"] == name) & (of_pairs["verdict"] == "b better")).sum()
        lost += ((of_pairs["b"] == name) & (of_pairs["verdict"] == "a better")).sum()
        won = ((of_pairs["a"] == name) & (of_pairs["verdict"] == "a better")).sum()
        won += ((of_pairs["b"] == name) & (of_pairs["verdict"] == "b better")).sum()
        assert (one["rank_low"], one["rank_high"]) == (1 + lost, 5 - won)
        assert one["best"] == (lost == 0)


def test_pairs_of_deterministic_explainers_on_one_task_are_paired_t_tests_adjusted_by_holm() -> None:
    values = np.random.default_rng(1).normal(size=(4, 1, 1, 30)) + np.arange(4).reshape(4, 1, 1, 1) * 0.4
    found = pairs(*world(np.repeat(values, 2, axis=2)))
    expected = [ttest_rel(values[a, 0, 0], values[b, 0, 0]).pvalue for a, b in itertools.combinations(range(4), 2)]
    assert found["p"].tolist() == pytest.approx(expected)
    assert found["p_adjusted"].tolist() == pytest.approx(multipletests(expected, method="holm")[1])


@pytest.mark.parametrize("entropy", range(3))
def test_clear_verdicts_are_those_of_friedmans_test_with_conovers_comparisons(entropy: int) -> None:
    """Explainers are equal or far apart, so that every sound procedure says the same of every pair."""
    random = np.random.default_rng(entropy)
    level = random.integers(0, 3, size=5)
    values = level.reshape(5, 1, 1, 1) * 2.0 + random.normal(size=(1, 1, 1, 60)) + random.normal(size=(5, 1, 1, 60)) / 4
    found = pairs(*world(np.repeat(values, 2, axis=2)))
    blocks = pd.DataFrame(values[:, 0, 0].T, columns=[f"e{i}" for i in range(5)])
    expected = scikit_posthocs.posthoc_conover_friedman(blocks, p_adjust="holm")
    apart = {(a, b): expected.loc[a, b] < 0.01 for a, b in zip(found["a"], found["b"], strict=True)}
    verdicts = dict(zip(apart, found["verdict"], strict=True))
    for a, b in apart:
        lower, upper = level[int(a[1])], level[int(b[1])]
        said = "not separated" if lower == upper else "a better" if lower < upper else "b better"
        assert verdicts[a, b] == said
        assert apart[a, b] == (lower != upper)


def test_below_90_percent_of_the_images_nothing_is_comparable_and_images_without_any_value_do_not_count() -> None:
    values = np.random.default_rng(2).normal(size=(3, 1, 2, 40)) + np.arange(3).reshape(3, 1, 1, 1) * 9
    values[:, :, :, 35:] = np.nan  # the metric does not apply
    values[2, :, :, :6] = np.nan
    found = pairs(*world(values)).set_index(["a", "b"])
    assert found["images"].tolist() == [35, 29, 29]
    assert found["of_images"].tolist() == [35, 35, 35]
    assert found["verdict"].tolist() == ["a better", "not comparable", "not comparable"]
    assert found["p_adjusted"].notna().tolist() == [True, False, False]


def test_pairs_with_a_single_seed_are_marked_and_cost_the_others_nothing() -> None:
    rows = [*on_all_tasks("a", 0.5), *on_all_tasks("b", 0.505)]
    alone = pairs(*planted(rows)).iloc[0]
    found = pairs(*planted([*rows, *on_all_tasks("one", 0.1, seeds=1)])).set_index(["a", "b"])
    assert found["one_seed"].tolist() == [False, True, True]
    assert found.loc[("a", "b"), "p_adjusted"] == alone["p_adjusted"] == alone["p"]
    assert found.loc[("a", "one"), "verdict"] == "b better"
    table = standings(*planted([*rows, *on_all_tasks("one", 0.1, seeds=1)])).set_index("explainer")
    assert table["rank_high"].dropna().max() == 2


def test_floors_ablations_variants_and_incomplete_rows_are_in_no_family() -> None:
    rows = [*on_all_tasks("a", 0.5), *on_all_tasks("b", 0.6), *on_all_tasks("a", 0.4, variant="beta=1")]
    rows += [
        *on_all_tasks("f", 0.1, control="floor"),
        *on_all_tasks("x", 0.1, control="ablation"),
        row("c", "cat", 0.1),
    ]
    found = pairs(*planted(rows))
    assert found[["a", "b"]].to_numpy().tolist() == [["a", "b"]]


def test_explainers_of_one_network_share_its_seeds() -> None:
    """The network varies by far more than the two differ, seed by seed."""
    random = np.random.default_rng(0)
    of_network = random.normal(size=(1, 2, 4, 1))
    values = of_network + np.array([0.0, 0.05]).reshape(2, 1, 1, 1) + 0.02 * random.normal(size=(2, 2, 4, 40))
    apart, together = (pairs(*world(values, network=network)).iloc[0] for network in ("", "net"))
    assert apart["verdict"] == "not separated"
    assert (together["verdict"], together["difference"]) == ("a better", pytest.approx(apart["difference"]))


def test_in_metrics_of_the_network_only_explainers_of_one_network_are_compared() -> None:
    named = {"a": "", "b": "", "c": "net", "d": "net", "e": "other"}
    for metric, count in (("relative_deviation", 2), ("location_instability", 10)):
        rows = [r for name, net in named.items() for r in on_all_tasks(name, 0.1, metric=metric, network=net)]
        found = pairs(*planted(rows))
        assert len(found) == count
    assert {("a", "b"), ("c", "d")} == {
        pair for pair in itertools.combinations("abcde", 2) if named[pair[0]] == named[pair[1]]
    }


def test_on_one_task_training_variances_are_shrunk_towards_those_of_the_dataset() -> None:
    """One board of one task and one of three; plain t of 2 degrees finds nothing, the shrunk variance does."""
    random = np.random.default_rng(4)
    rows = []
    for e, category in itertools.product(range(8), (*TASKS, "multi")):
        for s in range(3):
            rows.append(row(f"e{e}", category, e * 0.05 + 0.01 * random.normal(), 0.001, seed=s))
    found = judged(*planted(rows))
    single = next(board for board in found.boards if board.aligned.board == "fauna/multi")
    assert single.pairings.prior is not None
    assert (single.verdicts.compared.from_seeds[:, 1] > 4).all()
    others = [board for board in found.boards if board.aligned.board != "fauna/multi"]
    assert all(board.pairings.prior is None for board in others)


def ladder(explainers: int = 4, tasks: int = 3, images: int = 40) -> np.ndarray:
    """Values of images, lower is better: e0 is far better than e1, and so on."""
    random = np.random.default_rng(5)
    shared, own = random.normal(size=(1, tasks, 1, images)), random.normal(size=(explainers, tasks, 1, images)) / 10
    steps = np.arange(explainers).reshape(explainers, 1, 1, 1) * 0.5
    return shared + own + steps + 0.01 * random.normal(size=(explainers, tasks, 3, images))


def test_an_explainer_that_leaves_out_images_loses_its_rank_and_changes_no_other() -> None:
    values = ladder()
    values[3, :, :, :6] = np.nan
    table = standings(*world(values)).set_index("explainer")
    assert table["rank_low"].isna().tolist() == [False, False, False, True]
    assert table["rank_high"].tolist()[:3] == [1, 2, 3]
    assert table["best"].tolist() == [True, False, False, False]


def test_of_two_that_cannot_be_compared_the_one_with_more_images_keeps_its_rank() -> None:
    values = ladder()
    values[:3, :, :, 39] = np.nan
    values[3, :, :, :5] = np.nan
    assert standings(*world(values)).set_index("explainer")["rank_low"].isna().tolist() == [False, False, False, True]


def test_a_small_task_cannot_be_left_out_but_for_its_best_image() -> None:
    """The images left out are few of all images, but the task is a third of the mean."""
    values = ladder(images=200)
    values[:, 0, :, 10:] = np.nan
    values[3, 0] = np.nan
    values[3, 0, :, 0] = -50
    rows, images = world(values)
    found = pairs(rows, images)
    assert set(found["verdict"][found["b"] == "e3"]) == {"not comparable"}
    table = standings(rows, images).set_index("explainer")
    assert table["value"].idxmin() == "e3"
    assert table["best"].tolist() == [True, False, False, False]


def test_evidence_that_is_infinite_gives_no_rank() -> None:
    values = ladder()
    values[3, 0, 0, 0] = np.inf
    rows, images = world(values)
    rows["value"] = rows["value"].where(np.isfinite(rows["value"]), 1e300)
    assert standings(rows, images).set_index("explainer")["rank_low"].isna().tolist() == [False, False, False, True]


def test_an_interval_is_around_the_value_even_if_a_seed_lacks_an_image() -> None:
    values = ladder(2, 1)
    values[1, 0, 0, 0], values[1, 0, 1:, 0] = np.nan, 900
    table = standings(*world(values)).set_index("explainer")
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()


def test_rows_of_before_bounds_were_stored_do_not_widen_the_intervals() -> None:
    rows, images = world((ladder() > 0.6) * 1.0, low_bound=0.0, high_bound=1.0)
    bounds = ["low_bound", "high_bound"]
    rows.loc[rows["explainer"] == "e3", bounds] = np.nan
    for board in judged(rows, images).boards:
        assert board.bounds == (0, 1)


def test_a_network_named_like_the_family_of_the_performer_does_not_join_it() -> None:
    rows, images = world(ladder(), network="", metric="relative_deviation")
    rows.loc[rows["explainer"] == "e0", "network"] = "ranked"
    table = standings(rows, images).set_index("explainer")
    assert table["rank_low"].isna().tolist() == [True, False, False, False]
    assert not {"e0"} & {*pairs(rows, images)["a"]}


@pytest.mark.parametrize("several", [1, 4])
def test_an_absurd_image_does_not_protect_from_being_surely_worse(several: int) -> None:
    """e3 is the worst on every image; by a huge value its variance hides that. With bounds there is no such value."""
    values = ladder()
    plain = pairs(*world(values))
    values[3, :, :, :several] += 1e6
    found = pairs(*world(values))
    assert found["verdict"].tolist() == plain["verdict"].tolist()
    assert found.loc[found["b"] == "e3", "far_out"].all()
    assert not plain["far_out"].any()
    assert standings(*world(values)).set_index("explainer").loc["e3", "rank_low"] == 4
    if several == 1:
        bounded = pairs(*world(values, low_bound=-10.0, high_bound=1e9))
        assert set(bounded.loc[bounded["b"] == "e3", "verdict"]) == {"not separated"}


def test_an_absurd_image_makes_none_better() -> None:
    """The mean decides the direction: e0 is the best but for one image, and that makes its mean the worst."""
    values = ladder()
    values[0, :, :, 0] += 1e6
    found = pairs(*world(values))
    assert set(found.loc[found["a"] == "e0", "verdict"]) == {"not separated"}
