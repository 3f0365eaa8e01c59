"""What passes between the core and plugins: explanations are normalised and checked at the door, images are copies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from partbench import Batch, Explanation, Images, NotApplicable, PerformerOutputs, ReceptiveField
from partbench.types import opaque_id

N, K = 3, 4
CPU = torch.device("cpu")
SHAPES = {"maps": (N, K, 2, 2), "scores": (N, K), "contributions": (N, K), "logits": (N,), "explained": (N,)}
SHAPES["part_drops"] = (N, 2)


class Lazy:
    """A function that counts its calls."""

    def __init__(self, value: Any) -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.value


def accepted(**fields: Any) -> Explanation:
    """An explanation of three images, accepted for a dataset that names two parts."""
    return Explanation(**fields).accepted(N, CPU, 2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", SHAPES)
def test_floating_numbers_of_any_type_become_float32_without_gradient(name: str, kind: torch.dtype) -> None:
    given = torch.rand(SHAPES[name]).to(kind).requires_grad_()
    for explanation in (Explanation(**{name: given}), accepted(**{name: given})):
        found = getattr(explanation, name)
        assert found.dtype == torch.float32
        assert not found.requires_grad
        assert torch.equal(found, given.detach().float())


@pytest.mark.parametrize("name", ["maps", "part_drops"])
def test_lazy_fields_become_float32_without_gradient_too(name: str) -> None:
    given = torch.rand(SHAPES[name]).double().requires_grad_()
    for explanation in (Explanation(**{name: lambda: given}), accepted(**{name: lambda: given})):
        found = getattr(explanation, name)
        assert (found.dtype, found.requires_grad) == (torch.float32, False)


WRONG: list[tuple[Callable[[tuple[int, ...]], Any], str]] = [
    (lambda shape: torch.ones(shape, dtype=torch.int64), "are int64, expected floating point numbers"),
    (lambda shape: torch.ones(shape, dtype=torch.uint8), "are uint8, expected floating point numbers"),
    (lambda shape: torch.ones(shape, dtype=torch.bool), "are bool, expected floating point numbers"),
    (lambda shape: torch.ones(shape, dtype=torch.complex64), "are complex64, expected floating point numbers"),
    (lambda shape: np.ones(shape, np.float32), "are a ndarray, expected a torch tensor"),
    (lambda shape: [1.0], "are a list, expected a torch tensor"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
@pytest.mark.parametrize("name", SHAPES)
def test_what_is_no_floating_tensor_is_refused_in_one_line(name: str, make: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=f"{name} {message}") as error:
        Explanation(**{name: make(SHAPES[name])})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["maps", "part_drops"])
@pytest.mark.parametrize(("make", "message"), WRONG)
def test_a_lazy_field_of_a_wrong_type_is_refused_when_it_is_evaluated(name: str, make: Callable, message: str) -> None:
    explanation = accepted(**{name: lambda: make(SHAPES[name])})
    with pytest.raises(ValueError, match=f"{name} {message}"):
        getattr(explanation, name)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", SHAPES)
def test_values_that_are_not_finite_are_counted_and_refused(name: str, bad: float) -> None:
    value = torch.ones(SHAPES[name])
    value.view(-1)[:2] = bad
    with pytest.raises(ValueError, match=f"{name} hold 2 values that are NaN or infinite"):
        accepted(**{name: value})


def test_half_precision_that_overflows_is_refused() -> None:
    with pytest.raises(ValueError, match="scores hold 12 values that are NaN or infinite"):
        accepted(scores=torch.full((N, K), 1e5).half())


@pytest.mark.parametrize(
    ("make", "kind"), [(Tensor.to_sparse, "sparse_coo"), (lambda value: value.to("meta"), "without values")]
)
def test_tensors_that_are_not_dense_are_refused(make: Callable[[Tensor], Tensor], kind: str) -> None:
    with pytest.raises(ValueError, match=f"scores are {kind}.*, expected a dense tensor"):
        Explanation(scores=make(torch.ones(N, K)))


@pytest.mark.parametrize("bad", ["0.5", torch.tensor(0.5), math.nan])
def test_a_threshold_that_is_no_finite_number_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        accepted(logits=torch.ones(N), threshold=bad)


def test_a_grid_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="the grid is a str, expected a ReceptiveField"):
        accepted(maps=torch.ones(SHAPES["maps"]), grid="even")


@pytest.mark.parametrize("lazily", [False, True])
def test_what_was_accepted_shares_no_memory_with_what_the_explainer_holds(lazily: bool) -> None:
    maps, logits, parts = torch.ones(SHAPES["maps"]), torch.ones(N), torch.zeros(K, dtype=torch.long)
    explanation = accepted(maps=(lambda: maps) if lazily else maps, logits=logits, parts=parts)
    before = explanation.maps.clone()
    for held in (maps, logits, parts):
        held.fill_(7)
    assert torch.equal(explanation.maps, before)
    assert torch.equal(explanation.logits, torch.ones(N))
    assert not explanation.parts.any()


def test_negative_maps_are_refused_with_the_smallest_value() -> None:
    maps = torch.ones(SHAPES["maps"])
    maps[1, 2, 0, 1] = -0.25
    with pytest.raises(ValueError, match=r"maps must not be negative; the smallest value is -0\.25"):
        accepted(maps=maps)
    lazy = accepted(maps=lambda: maps)
    with pytest.raises(ValueError, match="maps must not be negative"):
        _ = lazy.maps


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("maps", (N, K, 2), r"maps are \(3, 4, 2\), expected \(3, k, h, w\)"),
        ("maps", (2, K, 2, 2), r"maps are \(2, 4, 2, 2\), expected \(3, k, h, w\)"),
        ("maps", (N, 0, 2, 2), r"expected \(3, k, h, w\)"),
        ("scores", (N,), r"scores are \(3,\), expected \(3, k\)"),
        ("scores", (N + 1, K), r"scores are \(4, 4\), expected \(3, k\)"),
        ("scores", (N, 0), r"scores are \(3, 0\), expected \(3, k\)"),
        ("contributions", (K, N), r"contributions are \(4, 3\), expected \(3, k\)"),
        ("logits", (N + 1,), r"logits are \(4,\), expected \(3\)"),
        ("logits", (N, 2, 1), r"logits are \(3, 2, 1\), expected \(3, c\)"),
        ("explained", (2, 5), r"explained are \(2, 5\), expected \(3, c\)"),
        ("part_drops", (N,), r"part_drops are \(3,\), expected \(3, p\)"),
    ],
)
def test_wrong_shapes_are_refused_with_the_expected_ones(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accepted(**{name: torch.ones(shape)})


def test_logits_of_all_categories_are_accepted() -> None:
    found = accepted(logits=torch.ones(N, 6), explained=torch.zeros(N, 6))
    assert found.logits.shape == found.explained.shape == (N, 6)


@pytest.mark.parametrize("other", ["scores", "contributions", "maps"])
def test_fields_that_disagree_on_the_number_of_concepts_are_refused(other: str) -> None:
    shape = list(SHAPES[other])
    shape[1] = K + 1
    with pytest.raises(ValueError, match=f"disagree on the number of concepts.*'{other}': {K + 1}.*'parts': {K}"):
        accepted(**{other: torch.ones(shape), "parts": torch.zeros(K, dtype=torch.long)})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (torch.tensor([0, 1, -2]), "parts hold -2, expected the index of a part, or -1 for none"),
        (torch.tensor([0, 2, 1]), "parts hold 2, expected at most 1: the dataset names 2 parts"),
        (torch.tensor([0.0, 1.0]), r"parts are torch.float32 of shape \(2,\), expected integers \(k,\)"),
        (torch.tensor([True, False]), "parts are torch.bool"),
        (torch.zeros(2, 2).long(), r"of shape \(2, 2\), expected integers"),
        ([0, 1], "parts are a list, expected a torch tensor"),
    ],
)
def test_parts_that_are_no_indices_of_parts_are_refused(parts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accepted(parts=parts, logits=torch.ones(N))


def test_parts_of_no_concept_and_of_an_unknown_dataset_are_accepted() -> None:
    assert accepted(parts=torch.tensor([-1, -1])).parts.tolist() == [-1, -1]
    assert Explanation(parts=torch.tensor([9])).accepted(N, CPU).parts.tolist() == [9]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_that_is_not_finite_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"the threshold is \w+, expected a finite number"):
        accepted(threshold=threshold)


@pytest.mark.parametrize("name", ["maps", "part_drops"])
def test_lazy_fields_are_evaluated_once_and_only_when_asked_for(name: str) -> None:
    lazy = Lazy(torch.ones(SHAPES[name]))
    given = Explanation(**{name: lazy})
    found = given.accepted(N, CPU, 2)
    assert given.has(name)
    assert found.has(name)
    assert lazy.calls == 0
    first = getattr(found, name)
    assert getattr(found, name) is first
    assert lazy.calls == 1


def test_a_lazy_field_of_a_wrong_shape_is_refused_when_it_is_evaluated_and_not_before() -> None:
    explanation = accepted(maps=lambda: torch.ones(N, K, 2), part_drops=lambda: torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"maps are \(3, 4, 2\), expected"):
        _ = explanation.maps
    with pytest.raises(ValueError, match=r"part_drops are \(2, 2\), expected \(3, p\)"):
        _ = explanation.part_drops


def test_maps_say_whether_they_were_on_demand_before_and_after_they_are_evaluated() -> None:
    explanation = accepted(maps=lambda: torch.ones(SHAPES["maps"]))
    assert explanation.maps_on_demand
    _ = explanation.maps
    assert explanation.maps_on_demand
    assert not accepted(maps=torch.ones(SHAPES["maps"])).maps_on_demand


@pytest.mark.parametrize("name", [*SHAPES, "parts", "grid", "threshold", "new"])
def test_an_explanation_cannot_be_changed(name: str) -> None:
    explanation = Explanation(logits=torch.ones(N))
    with pytest.raises(AttributeError, match=f"cannot be changed; make a new one with another {name}"):
        setattr(explanation, name, torch.zeros(N))
    assert explanation.logits.tolist() == [1.0] * N


def test_absent_fields_are_none_and_absent_maps_an_error() -> None:
    explanation = accepted(scores=torch.ones(N, K))
    assert [name for name in (*SHAPES, "parts", "threshold") if explanation.has(name)] == ["scores"]
    assert explanation.logits is explanation.explained is explanation.part_drops is None
    with pytest.raises(ValueError, match="this explanation has no maps"):
        _ = explanation.maps


def test_what_is_no_tensor_is_kept_as_it_is() -> None:
    grid = ReceptiveField(1.5, 4, 6)
    explanation = accepted(maps=torch.ones(SHAPES["maps"]), grid=grid, threshold=0.25)
    assert explanation.grid is grid
    assert explanation.threshold == 0.25


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_a_classifier_gives_one_tensor_as_both_and_stays_one_when_accepted(kind: torch.dtype) -> None:
    own = torch.rand(N).to(kind)
    given = Explanation(logits=own, explained=own)
    for explanation in (given, given.accepted(N, CPU), given.accepted(N, CPU).accepted(N, CPU)):
        assert explanation.logits is explanation.explained
        assert explanation.is_classifier
    assert not accepted(logits=own, explained=own.clone()).is_classifier
    assert not accepted(logits=own).is_classifier
    assert not accepted().is_classifier


def outputs(explained: Tensor | None) -> PerformerOutputs:
    logits = torch.zeros(N, 2)
    return PerformerOutputs(logits, torch.ones(N, dtype=torch.bool), 0, explained, lambda images: logits)


def test_what_is_predicted_is_compared_with_what_is_explained() -> None:
    performers = outputs(torch.full((N,), 2.0))
    predicted, explained = performers.predicted_and_explained(accepted(logits=torch.ones(N)))
    assert (predicted.tolist(), explained.tolist()) == ([1.0] * N, [2.0] * N)
    assert predicted.dtype == explained.dtype == torch.float64
    _, own = performers.predicted_and_explained(accepted(logits=torch.ones(N), explained=torch.full((N,), 3.0)))
    assert own.tolist() == [3.0] * N


def test_predictions_are_not_compared_where_there_are_none_or_many_or_of_the_network_itself() -> None:
    own = torch.ones(N)
    for explained, explanation, reason in (
        (own, accepted(scores=torch.ones(N, K)), "no logits are predicted"),
        (None, accepted(logits=own), "all logits are explained, not one"),
        (own, accepted(logits=own, explained=own), "the explainer is the network it explains"),
    ):
        with pytest.raises(NotApplicable, match=reason):
            outputs(explained).predicted_and_explained(explanation)


def batch(n: int = N) -> Batch:
    return Batch(tuple(f"toy/test/{i}" for i in range(n)), torch.rand(n, 3, 4, 5), torch.arange(n))


def test_images_of_a_batch_are_copies_with_ids_that_tell_nothing() -> None:
    whole = batch()
    images, before = whole.images, whole.pixels.clone()
    images.pixels.zero_()
    assert torch.equal(whole.pixels, before)
    assert torch.equal(whole.images.pixels, before)
    assert images.ids == tuple(map(opaque_id, whole.ids))
    assert not any("test" in text for text in images.ids)
    assert not {"labels", "boxes", "landmarks", "masks", "attributes"} & set(dir(images))


@given(st.lists(st.text(max_size=20), unique=True, min_size=2, max_size=30))
def test_opaque_ids_are_16_hex_digits_and_different_for_different_images(texts: list[str]) -> None:
    found = [opaque_id(text) for text in texts]
    assert len(set(found)) == len(texts)
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in found)
    assert found == [opaque_id(text) for text in texts]


class Source:
    """Answers with the images it was asked for."""

    def activations(self, images: Images, layer: str) -> Tensor:
        return images.pixels.mean((1, 2, 3)) * len(layer)


def test_slices_of_images_keep_ids_pixels_and_source_together() -> None:
    images = Images(tuple("abcd"), torch.rand(4, 3, 4, 5), Source())
    part = images[1:3]
    assert (len(images), len(part), part.ids, part.size) == (4, 2, ("b", "c"), (4, 5))
    assert torch.equal(part.pixels, images.pixels[1:3])
    assert torch.equal(part.activations("fc1"), images.activations("fc1")[1:3])
    assert len(images[4:]) == 0


def test_other_pixels_keep_ids_and_source_and_leave_the_images_as_they_are() -> None:
    images = Images(("a", "b"), torch.ones(2, 3, 4, 5), Source())
    dark = images.with_pixels(images.pixels * 0)
    assert dark.ids == images.ids
    assert dark.activations("fc1").tolist() == [0, 0]
    assert images.activations("fc1").tolist() == [3, 3]


@given(st.integers(1, 4), st.integers(1, 5))
def test_several_pictures_of_each_image_repeat_its_id(n: int, times: int) -> None:
    images = Images([str(i) for i in range(n)], torch.zeros(n, 3, 2, 2))
    many = images.with_pixels(torch.zeros(n * times, 3, 2, 2))
    assert many.ids == tuple(str(i) for i in range(n) for _ in range(times))


@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 1), (0, 1)])
def test_pictures_that_belong_to_no_image_are_refused(n: int, m: int) -> None:
    images = Images([str(i) for i in range(n)], torch.zeros(n, 3, 2, 2))
    with pytest.raises(ValueError, match=f"{m} images, expected a multiple of {n}"):
        images.with_pixels(torch.zeros(m, 3, 2, 2))


def test_no_images_have_no_pictures() -> None:
    nothing = Images((), torch.zeros(0, 3, 2, 2))
    assert len(nothing.with_pixels(torch.zeros(0, 3, 2, 2))) == 0


def test_ids_and_pixels_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="2 ids for 3 images"):
        Images(("a", "b"), torch.zeros(3, 3, 2, 2))


def test_images_without_a_task_have_no_activations() -> None:
    with pytest.raises(ValueError, match="these images belong to no task"):
        batch().images.activations("fc1")


def test_nothing_can_be_hung_on_images() -> None:
    with pytest.raises(AttributeError):
        batch().images.labels = torch.zeros(N)  # type: ignore[attr-defined]


def test_slices_of_a_batch_keep_what_is_known_and_what_is_not() -> None:
    part = batch()[1:]
    assert part.ids == ("toy/test/1", "toy/test/2")
    assert part.labels.tolist() == [1, 2]
    assert part.masks is None
    assert len(part.images) == 2


def test_maps_before_masks_are_those_of_the_explainers_masking_evaluated_once_and_checked() -> None:
    maps, masks = torch.rand(N, K, 2, 2).double().requires_grad_(), torch.ones(N, K, 2, 2)
    lazy = Lazy((maps, masks))
    explanation = Explanation(torch.ones(N, K, 2, 2)).accepted(N, CPU, masking=lazy)
    assert lazy.calls == 0
    assert explanation.unmasked is explanation.unmasked
    assert lazy.calls == 1
    torch.testing.assert_close(explanation.unmasked, maps.detach().float())
    wrong = Explanation(torch.ones(N, K, 2, 2)).accepted(N, CPU, masking=lambda: (torch.ones(2, K, 2, 2), masks))
    with pytest.raises(ValueError, match=r"unmasked maps are \(2, 4, 2, 2\), expected \(3, k, h, w\)"):
        _ = wrong.unmasked


def test_without_masks_there_are_no_maps_before_them_whatever_an_explanation_claims() -> None:
    claimed = Explanation(torch.ones(N, K, 2, 2), unmasked=torch.ones(N, K, 2, 2))
    assert claimed.accepted(N, CPU, masking=lambda: None).unmasked is None
    assert claimed.accepted(N, CPU).unmasked is None
    assert Explanation(torch.ones(N, K, 2, 2)).unmasked is None
