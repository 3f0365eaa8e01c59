from __future__ import annotations

import math

import brute_force
import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp, ttest_rel

from partbench.functional.statistics import Prior
from partbench.functional.statistics.paired import Estimate, Evidence, Pairing, compare

FIXED = Pairing(deterministic=(True, True))


def evidence(values, images=None):
    values = np.atleast_2d(np.asarray(values, dtype=float))
    return Evidence(images or [f"image {i}" for i in range(values.shape[1])], values)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_one_task_and_one_seed_is_the_paired_t_test_on_the_images():
    a, b = normal(40), normal(40, seed=1) + 0.3
    found, expected = compare({"t": evidence(a)}, {"t": evidence(b)}, FIXED), ttest_rel(a, b)
    assert found.these.difference == pytest.approx(np.mean(a - b))
    assert (found.these.p, found.these.degrees) == (pytest.approx(expected.pvalue), 39)
    assert found.these.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert (found.from_a, found.from_b, found.one_seed, found.new) == (0, 0, False, None)


def test_two_seeds_and_three_images_by_hand():
    """A is 1, 2, 3 and 3, 4, 5; B is 1, 1, 4 for both seeds. Seed means 2 and 4: variance 2 with 1 degree."""
    found = compare({"t": evidence([[1, 2, 3], [3, 4, 5]])}, {"t": evidence([[1, 1, 4], [1, 1, 4]])})
    # seed means of A 2, 3, 4; differences 1, 2, 0 with mean 1; 3 / 2 (0 + 1 + 1) / 9
    assert found.these.difference == pytest.approx(1)
    assert (found.from_images, found.from_a, found.from_b) == pytest.approx((1 / 3, 1, 0))
    assert found.these.variance == pytest.approx(4 / 3)
    assert found.these.degrees == pytest.approx((4 / 3) ** 2 / (1 / 9 / 2 + 1 / 1))
    assert found.these.p == pytest.approx(2 * student.sf(1 / math.sqrt(4 / 3), found.these.degrees))
    assert found.better == pytest.approx((1 + 1 + 0.5) / 3)


def test_where_seeds_alone_differ_the_variance_is_theirs_pooled_within_tasks():
    a = {"t": evidence([[1.0] * 5, [3.0] * 5]), "u": evidence([[0.0] * 5, [0.0] * 5, [6.0] * 5])}
    b = {name: evidence([[0.0] * 5] * 2) for name in a}
    found = compare(a, b)
    pooled = (2 + 24) / 3  # sums of squares over degrees
    assert found.from_images == 0
    assert found.these.variance == found.from_a == pytest.approx(pooled * (1 / 2 + 1 / 3) / 4)
    assert found.these.degrees == pytest.approx(3)


def test_seeds_of_one_trained_network_are_pairs():
    seeds = np.array([[0.0], [5.0], [9.0]])
    a, b = {"t": evidence(seeds + normal(3, 6) / 10)}, {"t": evidence(seeds + normal(3, 6, seed=1) / 10)}
    paired, apart = compare(a, b, Pairing(same_network=True)), compare(a, b)
    means = a["t"].values.mean(1) - b["t"].values.mean(1)
    assert paired.from_a == pytest.approx(means.var(ddof=1) / 3)
    assert paired.from_b == 0
    assert paired.these.variance < 0.01 * apart.these.variance
    with pytest.raises(ValueError, match="different numbers of seeds"):
        compare(a, {"t": evidence(normal(2, 6))}, Pairing(same_network=True))


def test_deterministic_explainers_have_no_variance_over_seeds_and_need_but_one():
    a, b = {"t": evidence(normal(3, 20))}, {"t": evidence(normal(1, 20, seed=1))}
    assert compare(a, b).one_seed
    found = compare(a, b, Pairing(deterministic=(False, True)))
    assert found.from_a > 0 == found.from_b
    assert not found.one_seed
    assert compare(a, b, FIXED).these.variance == pytest.approx(found.from_images)


def test_an_image_of_several_tasks_is_one_cluster():
    """The same differences twice: on the same images they tell no more than once, on other images they do."""
    values, zero = normal(30), evidence(np.zeros(30))
    others = [f"other {i}" for i in range(30)]
    once = compare({"t": evidence(values)}, {"t": zero}, FIXED)
    shared = compare({"t": evidence(values), "u": evidence(values)}, {"t": zero, "u": zero}, FIXED)
    apart = compare(
        {"t": evidence(values), "u": evidence(values, others)},
        {"t": zero, "u": evidence(np.zeros(30), others)}, FIXED,
    )  # fmt: skip
    assert shared.these.variance == pytest.approx(once.these.variance)
    assert (shared.these.degrees, apart.these.degrees) == pytest.approx((29, 59))
    assert apart.these.variance == pytest.approx(once.these.variance / 2, rel=0.03)


def test_tasks_of_different_size_weigh_alike():
    a = {"t": evidence(np.full(10, 1.0)), "u": evidence(np.full(90, 3.0), [f"u {i}" for i in range(90)])}
    b = {name: Evidence(one.images, np.zeros_like(one.values)) for name, one in a.items()}
    assert compare(a, b, FIXED).these.difference == 2


def test_a_against_b_is_minus_b_against_a():
    tasks = {name: i for i, name in enumerate("tuvwx")}
    a, b = ({n: evidence(normal(3, 25, seed=s + 9 * i)) for n, i in tasks.items()} for s in (0, 1))
    one, other = compare(a, b), compare(b, a)
    assert one.these.difference == pytest.approx(-other.these.difference)
    low, high = one.these.interval()
    assert other.these.interval() == pytest.approx((-high, -low))
    assert (one.these.p, one.new.p, one.images) == pytest.approx((other.these.p, other.new.p, other.images))
    assert (one.from_a, one.from_b) == pytest.approx((other.from_b, other.from_a))
    assert one.better + other.better == pytest.approx(1)
    turned = compare(a, b, Pairing(higher_is_better=False))
    assert turned.better == pytest.approx(other.better)
    assert turned.these == one.these


def test_images_without_a_value_on_either_side_are_left_out_and_below_90_percent_nothing_is_comparable():
    a, b = normal(2, 20), normal(2, 20, seed=1)
    b[1, :2] = np.nan
    whole = compare({"t": evidence(a)}, {"t": evidence(b)})
    assert (whole.images, whole.of_images, whole.comparable) == (18, 20, True)
    assert whole.these == compare({"t": evidence(a[:, 2:])}, {"t": evidence(b[:, 2:])}).these
    a[0, 19] = np.nan
    assert not compare({"t": evidence(a)}, {"t": evidence(b)}).comparable


def test_images_are_paired_by_id_whatever_their_order_and_those_of_one_side_count_as_missing():
    a, b = normal(10), normal(12, seed=1)
    order = np.random.default_rng(2).permutation(12)
    ids = [f"image {i}" for i in range(12)]
    found = compare({"t": evidence(a)}, {"t": evidence(b[order], [ids[i] for i in order])}, FIXED)
    assert found.these.p == pytest.approx(ttest_rel(a, b[:10]).pvalue)
    assert (found.images, found.of_images) == (10, 12)


def test_tasks_of_one_side_are_left_out_and_without_a_common_image_there_is_no_comparison():
    a, b = {"t": evidence(normal(9)), "u": evidence(normal(9))}, {"t": evidence(normal(9, seed=1))}
    assert compare(a, b, FIXED).tasks == ("t",)
    with pytest.raises(ValueError, match="no task has two images"):
        compare(a, {"t": evidence(normal(9), [f"other {i}" for i in range(9)])}, FIXED)


def test_new_categories_are_a_t_test_on_the_tasks_and_need_four():
    a = {f"{i}": evidence(normal(2, 15, seed=i)) for i in range(5)}
    b = {f"{i}": evidence(normal(2, 15, seed=9 + i)) for i in range(5)}
    found = compare(a, b)
    expected = ttest_1samp([a[name].values.mean() - b[name].values.mean() for name in a], 0)
    assert (found.new.p, found.new.degrees) == (pytest.approx(expected.pvalue), 4)
    assert found.new.interval() == pytest.approx(tuple(expected.confidence_interval()))
    three = {name: a[name] for name in "012"}
    assert compare(three, b).new is None


def test_degrees_are_at_least_the_smallest_and_at_most_the_sum():
    for scale in (0.01, 0.3, 1, 30):
        a = {"t": evidence(normal(3, 50) + scale * normal(3, 1, seed=1))}
        found = compare(a, {"t": evidence(normal(3, 50, seed=2))})
        assert 2 <= found.these.degrees <= 49 + 2 + 2


def test_no_difference_at_all_is_certain():
    same = {"t": evidence(normal(2, 9))}
    found = compare(same, same, FIXED)
    assert (found.these.p, found.these.interval(), found.better) == (1, (0, 0), 0.5)


@pytest.mark.parametrize("value", [1.0, 0.1 + 0.2])
def test_few_images_that_agree_are_no_certainty(value):
    """All differences are alike, so that nothing says how images vary: the sign test of n images has p = 2^(1 - n)."""
    found = {n: compare({"t": evidence([value] * n)}, {"t": evidence([0.0] * n)}, FIXED).these for n in (2, 5, 6, 40)}
    for n, estimate in found.items():
        assert estimate.p == pytest.approx(2.0 ** (1 - n)), n
    assert found[5].interval() == (-math.inf, math.inf)
    assert found[6].interval() == pytest.approx((value, value))
    assert Estimate(0.1, 0.0, 5).p == 2**-5


def test_a_rounding_error_of_one_sign_is_no_difference():
    values = normal(50)
    for a, b in (([0.1 + 0.2] * 50, [0.3] * 50), (values * (1 + 1e-12), values), (values + 1e-15, values)):
        found = compare({"t": evidence(a)}, {"t": evidence(b)}, FIXED)
        assert (found.these.difference, found.these.p, found.better) == (0, 1, 0.5)


def test_less_than_half_of_the_images_of_a_task_makes_nothing_comparable() -> None:
    """The task is a half of the difference, but its images are few of all."""
    a, b = np.random.default_rng(3).normal(size=(2, 1, 210))
    few = a[:, :10].copy()
    few[:, 4:] = np.nan
    mine = {"large": evidence(a[:, 10:]), "small": evidence(few)}
    found = compare(mine, {"large": evidence(b[:, 10:]), "small": evidence(b[:, :10])})
    assert found.images / found.of_images > 0.9
    assert not found.comparable


@pytest.mark.parametrize(
    "pairing", [Pairing(), FIXED, Pairing(same_network=True), Pairing(prior=Prior(3.0, 0.2, 50.0))]
)
def test_a_pair_is_compared_as_step_by_step(pairing: Pairing) -> None:
    """Five tasks that share images, of which a side lacks some, or their values; one task of a single image."""
    random, sides = np.random.default_rng(5), []
    for _ in "ab":
        side = {}
        for t in range(5):
            images = [f"{i}" for i in random.permutation(np.arange(5 * t, 5 * t + 12 if t else 1))[: 11 if t else 1]]
            values = random.normal(size=(3, len(images)))
            values[random.random(values.shape) < 0.02] = np.nan
            side[f"t{t}"] = Evidence(images, values)
        sides.append(side)
    found, expected = compare(*sides, pairing), brute_force.compare(*sides, pairing)
    assert found.tasks == expected.tasks == ("t1", "t2", "t3", "t4")
    for mine, theirs in ((found.these, expected.these), (found.new, expected.new)):
        assert (mine.difference, mine.variance, mine.degrees, mine.p) == pytest.approx(
            (theirs.difference, theirs.variance, theirs.degrees, theirs.p)
        )
        assert mine.interval() == pytest.approx(theirs.interval())
    names = ("from_images", "from_a", "from_b", "better", "images", "of_images", "one_seed", "comparable")
    assert [getattr(found, name) for name in names] == pytest.approx([getattr(expected, name) for name in names])
