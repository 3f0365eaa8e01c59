from __future__ import annotations

import itertools

import numpy as np
import pytest
from brute_force import compare

from partbench.functional.statistics import Evidence, Pairing, Pairings, Prior, Stack, compare_all


def stacked(k: int, tasks: int, seeds: int, missing: float = 0.0, shared: bool = True, entropy: int = 0) -> Stack:
    """Random evidence; tasks have 12 images each and share 4, seeds differ in number, some values are absent."""
    random = np.random.default_rng(entropy)
    images = [np.arange(12) + (8 if shared else 12) * t for t in range(tasks)]
    task = np.repeat(np.arange(tasks), 12)
    counts = random.integers(1, seeds + 1, (k, tasks))
    counts[0] = 0 if tasks > 1 else counts[0]
    counts[0, 0] = 1  # on one task only
    values = random.normal(size=(k, seeds, 12 * tasks)) + random.normal(size=(k, seeds, 1)) * 0.3
    values[random.random(values.shape) < missing] = np.nan
    listed = random.random((k, 12 * tasks)) > missing / 2
    present = np.arange(seeds)[None, :, None] < counts[:, None, task]
    values[~(present & listed[:, None])] = np.nan
    return Stack(values, listed & (counts > 0)[:, task], counts, task, np.concatenate(images))


def evidence(stack: Stack, k: int) -> dict[str, Evidence]:
    found = {}
    for t in range(stack.seeds.shape[1]):
        columns = np.flatnonzero((stack.task == t) & stack.listed[k])
        if stack.seeds[k, t]:
            values = stack.values[k, : stack.seeds[k, t]][:, columns]
            found[f"t{t}"] = Evidence([str(i) for i in stack.image[columns]], values)
    return found


def pairing(stack: Stack, pairings: Pairings, a: int, b: int) -> Pairing:
    both = (stack.seeds[[a, b]] > 0).all(0)
    same = pairings.network[a] == pairings.network[b] > 0 and (stack.seeds[a] == stack.seeds[b])[both].all()
    fixed = bool(pairings.deterministic[a]), bool(pairings.deterministic[b])
    return Pairing(fixed, bool(same), pairings.higher_is_better, pairings.prior)


@pytest.mark.parametrize("prior", [None, Prior(3.0, 0.2, 50.0)])
@pytest.mark.parametrize(("tasks", "seeds", "missing"), [(1, 3, 0.0), (3, 1, 0.0), (4, 4, 0.03), (3, 3, 0.25)])
def test_all_pairs_at_once_are_compared_as_each_by_itself_step_by_step(
    tasks: int, seeds: int, missing: float, prior: Prior | None
) -> None:
    stack = stacked(7, tasks, seeds, missing)
    stack.seeds[5] = stack.seeds[6]
    for k in (5, 6):
        absent = np.arange(seeds)[:, None] >= stack.seeds[k][stack.task]
        stack.values[k][~absent & np.isnan(stack.values[k]) & stack.listed[k] & (missing < 0.2)] = 0.1
        stack.values[k][absent] = np.nan
    pairings = Pairings(np.arange(7) == 2, np.array([0, 0, 0, 0, 0, 1, 1]), prior is None, prior)
    pairs = np.array(list(itertools.permutations(range(7), 2)))
    found, compared = compare_all(stack, pairs, pairings), 0
    intervals = found.these.interval()
    for at, (a, b) in enumerate(pairs):
        try:
            one = compare(evidence(stack, a), evidence(stack, b), pairing(stack, pairings, a, b))
        except ValueError:
            assert np.isnan(found.these.difference[at])
            assert not found.comparable[at]
            continue
        compared += 1
        numbers = one.these.difference, one.these.variance, one.these.degrees, one.these.p, one.better
        mine = found.these.difference, found.these.variance, found.these.degrees, found.these.p, found.better
        assert [column[at] for column in mine] == pytest.approx(numbers)
        assert intervals[at] == pytest.approx(one.these.interval())
        assert [part[0][at] for part in found.from_seeds] == pytest.approx((one.from_a, one.from_b))
        assert (found.images[at], found.of_images[at]) == (one.images, one.of_images)
        assert found.comparable[at] == one.comparable
        new = (np.nan, np.nan) if one.new is None else (one.new.variance, one.new.degrees)
        assert (found.new.variance[at], found.new.degrees[at]) == pytest.approx(new, nan_ok=True)
        assert [f"t{t}" for t in np.flatnonzero(found.tasks[at])] == list(one.tasks)
    assert compared >= 12


def test_an_explainer_of_value_0_gives_means_and_their_variance() -> None:
    stack = stacked(3, 2, 1, shared=False).with_zero()
    found = compare_all(stack, np.array([[1, 3], [2, 3]]), Pairings(np.ones(4, bool), np.zeros(4, int)))
    for at, k in enumerate((1, 2)):
        of_task = stack.values[k, 0].reshape(2, 12)
        assert found.these.difference[at] == pytest.approx(of_task.mean())
        centred = np.square(of_task - of_task.mean(1, keepdims=True)).sum() / 24**2
        assert found.these.variance[at] == pytest.approx(24 / 23 * centred)


def test_equal_values_and_no_pairs_are_no_difference() -> None:
    stack = stacked(2, 1, 1)
    pairings = Pairings(np.ones(2, bool), np.zeros(2, int))
    same = compare_all(stack, np.array([[0, 0]]), pairings)
    assert (same.these.difference[0], same.these.p[0], same.better[0]) == (0, 1, 0.5)
    assert len(compare_all(stack, np.empty((0, 2), int), pairings).these.p) == 0


def test_over_seeds_is_the_variance_pooled_within_tasks_without_a_prior() -> None:
    stack = stacked(4, 3, 4)
    pairings = Pairings(np.zeros(4, bool), np.zeros(4, int), prior=Prior(5.0, 9.0, 99.0))
    variance, degrees = compare_all(stack, np.array([[1, 2]]), pairings).over_seeds
    means = [stack.values[1, :s, stack.task == t].mean(0) for t, s in enumerate(stack.seeds[1])]
    assert degrees[0] == sum(len(of_task) - 1 for of_task in means)
    assert variance[0] == pytest.approx(sum(np.square(m - m.mean()).sum() for m in means) / degrees[0])


def test_seeds_that_agree_but_for_rounding_have_no_variance_that_could_enter_a_prior() -> None:
    """Three times .1 has the mean .1 + 2e-17."""
    values = np.stack([np.full((3, 10), 0.1), np.outer([0.1, 0.2, 0.3], np.ones(10))])
    stack = Stack(values, np.ones((2, 10), bool), np.full((2, 1), 3), np.zeros(10, int), np.arange(10))
    pairings = Pairings(np.zeros(2, bool), np.zeros(2, int))
    variance, degrees = compare_all(stack, np.array([[0, 1], [1, 0]]), pairings).over_seeds
    assert variance.tolist() == [0, pytest.approx(0.01)]
    assert degrees.tolist() == [2, 2]
