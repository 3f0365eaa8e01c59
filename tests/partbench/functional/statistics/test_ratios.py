import numpy as np
import pytest

from partbench.functional.statistics import Evidence, compare, ratio_of_means, share_of_gain
from partbench.functional.statistics.ratios import plus, times

IMAGES = tuple(f"i{n}" for n in range(200))


def planted(means, seed=0, images=IMAGES, seeds=1):
    """Evidence of tasks with these means and a spread of 1 over images."""
    random = np.random.default_rng(seed)
    return {
        task: Evidence(images, mean + random.normal(size=(seeds, len(images)))) for task, mean in means.items()
    }  # fmt: skip


def test_the_ratio_is_that_of_the_means_over_the_tasks_of_both():
    a, b = planted({"t": 4, "u": 6, "v": 99}), planted({"t": 10, "u": 10}, 1)
    found = ratio_of_means(a, b)
    means = [np.mean([side[task].values.mean() for task in "tu"]) for side in (a, b)]
    assert found.value == pytest.approx(means[0] / means[1])
    assert found.low < found.value < found.high


def test_explainers_that_are_alike_have_a_ratio_of_1_without_a_width():
    a = planted({"t": 5})
    assert ratio_of_means(a, a) == pytest.approx((1, 1, 1))


def test_the_interval_of_a_ratio_covers_the_truth_in_95_of_100_draws():
    covered = 0
    for seed in range(300):
        low, high = ratio_of_means(planted({"t": 6}, 2 * seed), planted({"t": 10}, 2 * seed + 1))[1:]
        covered += low <= 0.6 <= high
    assert 0.92 <= covered / 300 <= 0.98


def test_the_interval_is_that_of_the_difference_which_the_ratio_makes_0():
    a, b = planted({"t": 4, "u": 6}), planted({"t": 10, "u": 12}, 1)
    found, scale = ratio_of_means(a, b), np.mean([side.values.mean() for side in b.values()])
    low, high = compare(times(a, 1 / scale), times(b, found.value / scale)).these.interval()
    assert (found.low, found.high) == pytest.approx((found.value + low, found.value + high))


@pytest.mark.parametrize("mean", [0, -1])
def test_there_is_no_ratio_to_a_mean_that_is_not_above_0(mean):
    with pytest.raises(ValueError, match="no ratio"):
        ratio_of_means(planted({"t": 1}), {"t": Evidence(IMAGES, np.full((1, 200), mean))})


def test_without_two_images_of_both_there_is_no_ratio():
    with pytest.raises(ValueError, match="two images"):
        ratio_of_means(planted({"t": 1}), {"t": Evidence(("x", "y"), np.ones((1, 2)))})


def test_the_share_of_a_gain_is_that_of_the_means():
    a, b = (planted({"t": 6}), planted({"t": 3}, 1)), (planted({"t": 10}, 2), planted({"t": 1}, 3))
    found = share_of_gain(a, b)
    gain = b[0]["t"].values.mean() - a[0]["t"].values.mean()
    assert found.value == pytest.approx((a[1]["t"].values.mean() - b[1]["t"].values.mean()) / gain)
    assert found.low < found.value < found.high


def test_a_gain_that_is_all_following_has_a_share_of_1_without_a_width():
    null = planted({"t": 20}, 5)
    a, b = planted({"t": 6}), planted({"t": 10}, 1)
    following = [plus(null, times(side, -1)) for side in (a, b)]
    assert share_of_gain((a, following[0]), (b, following[1])) == pytest.approx((1, 1, 1))


def test_there_is_no_share_of_a_loss():
    worse, better = planted({"t": 10}), planted({"t": 6}, 1)
    assert share_of_gain((worse, worse), (better, better)) is None
