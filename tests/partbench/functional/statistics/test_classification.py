from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from partbench.functional.statistics import (
    agreement,
    average_precision,
    average_precisions_left_out,
    balanced_mean,
    best_threshold,
    class_unchanged,
    hits,
    one_against_rest,
    replace_logit,
)  # fmt: skip

# few distinct values, so that ties are common
rows = st.lists(st.tuples(st.integers(-4, 4).map(lambda i: i / 2), st.booleans()), min_size=1, max_size=30)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_no_threshold_beats_the_best_one(pairs):
    logits, positive = (np.array(column) for column in zip(*pairs, strict=True))
    logits = logits.astype(float)
    tried = [np.mean((logits > tau) == positive) for tau in np.arange(-3, 3, 0.25)]
    found = np.mean((logits > best_threshold(logits, positive)) == positive)
    assert found == max(tried)


def test_threshold_is_zero_where_zero_is_among_the_best():
    assert best_threshold(np.array([-2.0, -1.0, 3.0]), np.array([False, False, True])) == 0


def test_neighbouring_floats_are_parted():
    one = np.array([1.0, np.nextafter(1.0, 2)])
    assert agreement(one, np.array([False, True])).tolist() == [1, 1]


def test_single_precision_logits_lie_on_their_side_of_a_negative_threshold():
    logits, positive = np.array([-2, -1], dtype=np.float32), np.array([False, True])
    assert best_threshold(logits, positive) < -1
    assert agreement(logits, positive).tolist() == [1, 1]


def test_logit_that_is_not_finite_has_no_value():
    values = agreement(np.array([np.nan, -1.0, 1.0]), np.array([True, False, True]))
    np.testing.assert_array_equal(values, [np.nan, 1, 1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_class_is_unchanged_exactly_where_the_literal_replacement_says_so(seed, classes):
    rng = np.random.default_rng(seed)
    logits, predicted = rng.normal(size=(30, classes)), rng.normal(size=30)
    target = int(rng.integers(classes))
    expected = []
    for row, value in zip(logits, predicted, strict=True):
        changed = [value if j == target else logit for j, logit in enumerate(row)]
        expected.append(float(max(range(classes), key=changed.__getitem__) == max(range(classes), key=row.__getitem__)))
    assert class_unchanged(logits, target, predicted).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_one_against_rest_is_right_where_the_target_is_the_largest_exactly_on_positives(seed, classes):
    rng = np.random.default_rng(seed)
    logits, positive, target = rng.normal(size=(20, classes)), rng.random(20) < 0.5, int(rng.integers(classes))
    expected = []
    for row, shown in zip(logits, positive, strict=True):
        rivals = [value for column, value in enumerate(row) if column != target] or [0.0]
        expected.append(float(all(row[target] > value for value in rivals) == shown))
    assert one_against_rest(logits, target, positive).tolist() == expected


def test_a_logit_that_is_not_finite_has_no_value_in_any_rule():
    logits = np.array([[np.nan, 1.0], [0.0, np.inf], [2.0, 1.0]])
    positive, category = np.array([True, True, True]), np.array([0, 1, 0])
    np.testing.assert_array_equal(one_against_rest(logits, 0, positive), [np.nan, np.nan, 1])
    np.testing.assert_array_equal(hits(logits, category), [np.nan, np.nan, 1])
    np.testing.assert_array_equal(class_unchanged(np.eye(2), 0, np.array([np.nan, 0.0])), [np.nan, 1])


def test_hits_are_images_whose_category_has_the_largest_logit():
    logits = np.array([[3.0, 1, 2], [3, 1, 2], [0, 5, 9], [0, 5, -1]])
    assert hits(logits, np.array([0, 1, 2, 2])).tolist() == [1, 0, 1, 0]


def test_replacing_a_logit_leaves_the_others_and_the_original_alone():
    logits = np.arange(6.0).reshape(2, 3)
    assert replace_logit(logits, 1, np.array([-1.0, -2.0])).tolist() == [[0, -1, 2], [3, -2, 5]]
    assert logits.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, [1, 0]), (-2.0, [1, 1]), (1.5, [0, 0])])
def test_agreement_at_a_given_threshold_counts_logits_above_it_as_positive(threshold, expected):
    assert agreement(np.array([1.0, -1.0]), np.array([True, True]), threshold).tolist() == expected


def test_a_logit_at_the_threshold_is_negative():
    assert agreement(np.array([0.0]), np.array([False]), 0.0).tolist() == [1]


RANKED = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12)


@given(RANKED)
def test_average_precision_is_that_of_scikit_learn(pairs):
    logits, positive = (np.array(values) for values in zip(*pairs, strict=True))
    found = average_precision(logits.astype(float), positive)
    assert found == pytest.approx(average_precision_score(positive, logits) if positive.any() else np.nan, nan_ok=True)


@given(RANKED)
def test_average_precisions_without_each_image_are_those_of_the_others(pairs):
    logits, positive = (np.array(values) for values in zip(*pairs, strict=True))
    others = [average_precision(np.delete(logits, i), np.delete(positive, i)) for i in range(len(pairs))]
    np.testing.assert_allclose(average_precisions_left_out(logits, positive), others)


SIDES = st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.integers(0, 2)), min_size=1, max_size=12)


def literal_balance(right, side):
    shares = [right[(side == own) & ~np.isnan(right)] for own in np.unique(side)]
    return np.mean([share.mean() for share in shares]) if shares and all(map(len, shares)) else np.nan


@given(SIDES)
def test_balanced_is_the_mean_over_sides_also_without_each_image_of_a_side_that_has_others(pairs):
    right, side = (np.array(column) for column in zip(*pairs, strict=True))
    value, left_out = balanced_mean(right, side)
    assert value == pytest.approx(literal_balance(right, side), nan_ok=True)
    for i, found in enumerate(left_out):
        alone = ((side == side[i]) & ~np.isnan(right)).sum() < 2
        without = literal_balance(np.delete(right, i), np.delete(side, i))
        assert found == pytest.approx(np.nan if np.isnan(right[i]) or alone else without, nan_ok=True)
