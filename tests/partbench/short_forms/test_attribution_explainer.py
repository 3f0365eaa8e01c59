"""Explainers from attribution functions: what the function gets and returns, options, and what is refused."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from annotated_types import Ge

from partbench import Explanation, InputError, NotApplicable, Task, attribution_explainer, check_explainer, open_task
from partbench.options import build, resolved


@pytest.fixture(scope="module")
def task() -> Task:
    return open_task("fauna/multi:bird")


def gradient_map(network, pixels, target, *, cell: Annotated[int, Ge(1)] = 4, sign: bool = True):
    """The gradient of the explained logit."""
    (gradient,) = torch.autograd.grad(network(pixels.requires_grad_())[:, target].sum(), pixels)
    return torch.nn.functional.avg_pool2d(gradient.sum(1) * (1 if sign else -1), cell).relu()


def of_layer(network, pixels, target):
    """Activations of a layer, as an attribution would have them."""
    seen = []
    handle = network.layer("top_conv").register_forward_hook(lambda module, given, found: seen.append(found))
    network(pixels)
    handle.remove()
    return seen[0]


def test_a_function_keeps_the_contract_and_has_its_options(task: Task) -> None:
    cls = attribution_explainer(gradient_map)
    found = check_explainer(cls, task, images=2)
    assert found is not None
    assert found.maps.shape == (2, 1, 16, 16)
    assert (found.scores, found.contributions, found.logits) == (None, None, None)
    assert (cls.name, cls.__doc__) == ("gradient_map", "The gradient of the explained logit.")
    assert resolved(build(cls, {"cell": "8"})) == {"cell": 8, "sign": True}
    with pytest.raises(InputError, match="cell is 0, expected greater than or equal to 1"):
        cls(cell=0)


def test_the_gradient_is_that_of_the_explained_logit(task: Task) -> None:
    batch = task.batch("test", [0, 1])
    explainer = attribution_explainer(gradient_map)(cell=1)
    explainer.fit(task.training)
    step = 1e-3 * torch.zeros(2, 3, 64, 64).index_fill(2, torch.tensor([30]), 1)
    rise = task.explained(task_batch(batch, step)) - task.explained(task_batch(batch, -step))
    both = [explainer.explain(batch.images).maps]
    explainer.sign = False
    both.append(explainer.explain(batch.images).maps)
    torch.testing.assert_close((both[0] - both[1])[:, 0, 30].sum(1), rise / 2e-3, rtol=0.05, atol=0.05)


def task_batch(batch, step):
    from dataclasses import replace

    return replace(batch, pixels=batch.pixels + step)


def test_maps_of_a_layer_lie_where_its_cells_lie_and_the_network_is_that_of_the_task(task: Task) -> None:
    cls = attribution_explainer(name="layer_map", layer="top_conv", control="baseline", deterministic=True)(of_layer)
    found = check_explainer(cls, task, images=2)
    assert found is not None
    assert found.grid == task.performer.receptive_field("top_conv")
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()[:2].tolist()
    torch.testing.assert_close(found.maps, task.batch("test", rows).images.activations("top_conv"))
    assert (cls.name, cls().control(), cls().deterministic()) == ("layer_map", "baseline", True)


def test_a_function_may_return_an_explanation(task: Task) -> None:
    @attribution_explainer
    def logits_alone(network, pixels, target):
        """The logit itself."""
        return Explanation(logits=network(pixels)[:, target])

    found = check_explainer(logits_alone, task, images=2)
    assert found is not None
    assert found.logits is not None


def test_what_is_no_map_is_told_with_its_shape(task: Task) -> None:
    explainer = attribution_explainer(lambda network, pixels, target: pixels.sum((1, 2, 3)), name="numbers")()
    explainer.fit(task.training)
    with pytest.raises(ValueError, match=r"numbers returned \(2,\), expected maps"):
        explainer.explain(task.batch("test", [0, 1]).images)


def test_other_parameters_and_options_without_default_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected a function of network, pixels and target.*; it has model"):
        attribution_explainer(lambda model: model)
    with pytest.raises(InputError, match="the option side has no default"):
        attribution_explainer(lambda network, pixels, target, *, side: pixels)


def test_tasks_that_explain_all_logits_and_networks_without_the_layer_are_skipped(task: Task) -> None:
    with pytest.raises(NotApplicable, match="explains one logit"):
        attribution_explainer(gradient_map)().fit(open_task("fauna/multi").training)
    with pytest.raises(NotApplicable, match="has no layer 'nowhere'; its layers: target"):
        attribution_explainer(gradient_map, layer="nowhere")().fit(task.training)
    with pytest.raises(NotApplicable, match=r"'fc1' of small_vgg is .*, expected a map"):
        attribution_explainer(gradient_map, layer="fc1")().fit(task.training)


def test_the_class_is_of_the_module_of_its_function_whose_code_is_its_version() -> None:
    cls = attribution_explainer(gradient_map)
    assert cls.__module__ == __name__
    assert (cls.__qualname__, cls.__name__) == ("gradient_map", "gradient_map")


def test_options_with_postponed_annotations_find_their_types_where_the_function_stands() -> None:
    assert build(attribution_explainer(gradient_map), {"sign": "false"}).sign is False
    with pytest.raises(InputError, match="-o sign=maybe: expected bool"):
        build(attribution_explainer(gradient_map), {"sign": "maybe"})


@pytest.mark.parametrize("given", [3, int, print, torch.sum])
def test_what_is_no_function_is_refused(given: object) -> None:
    with pytest.raises(InputError, match="expected a function written with def"):
        attribution_explainer(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layer": 3}, "gradient_map: layer is 3, expected a text"),
        ({"layer": None}, "layer is None, expected a text"),
        ({"control": "abblation"}, "control is 'abblation', expected one of '', 'floor'"),
        ({"deterministic": "yes"}, "deterministic is 'yes', expected True or False"),
        ({"name": 3}, "name is 3, expected a text"),
        ({"name": "two words"}, "its name is 'two words'; expected no spaces"),
    ],
)
def test_other_arguments_are_refused_where_the_explainer_is_defined(given: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        attribution_explainer(gradient_map, **given)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda network, *more: None, r"it has network, \*more"),
        (lambda network, pixels, **more: None, r"it has network, pixels, \*\*more"),
        (lambda network, pixels, target: None, "a function written with lambda has no name"),
        (lambda network, pixels, target, *, explain=3: None, "no option can be called explain"),
        (lambda network, pixels, target, *, sides=[]: None, r"the default of sides is \[\], expected a tuple"),
    ],
)
def test_functions_with_other_parameters_or_options_are_refused(function: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        attribution_explainer(function)
