"""Attributions of Captum."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch

from partbench import InputError, NotApplicable, Task, check_explainer, torchvision
from partbench_plugins.bridges import library
from partbench_plugins.bridges.captum import CAPTUM, Captum, method_of

from ..toys import SIDE, toy_task

torchvision()
pytest.importorskip("captum", reason="needs Captum: pip install 'partbench[captum]'")
PIXELS = (
    "Deconvolution", "DeepLift", "DeepLiftShap", "FeatureAblation", "GradientShap", "GuidedBackprop", "GuidedGradCam",
    "InputXGradient", "IntegratedGradients", "LRP", "Lime", "Occlusion", "Saliency", "ShapleyValueSampling",
)  # fmt: skip
CELLS = (
    "InternalInfluence", "LayerConductance", "LayerDeepLift", "LayerDeepLiftShap", "LayerFeatureAblation",
    "LayerGradCam", "LayerGradientShap", "LayerGradientXActivation", "LayerIntegratedGradients", "LayerLRP",
)  # fmt: skip


@pytest.mark.parametrize("method", [*PIXELS, *CELLS])
@pytest.mark.filterwarnings("ignore")
def test_every_method_keeps_the_contract(method: str, task: Task) -> None:
    given = {"method": method, "layer": "top_conv", "square": 6}
    if "n_samples" in inspect.signature(method_of(method).attribute).parameters:
        given["parameters"] = {"n_samples": 3}
    explanation = check_explainer(Captum, task, images=4, given=given)
    side = SIDE if method in PIXELS else SIDE // 2
    assert explanation is not None
    assert explanation.maps.shape == (4, 1, side, side)
    assert (explanation.grid is None) is (method in PIXELS)


def test_all_attributions_of_a_logit_are_offered() -> None:
    module = CAPTUM.module("captum.attr")
    offered = []
    for name in dir(module):
        try:
            method_of(name)
        except InputError:
            continue
        offered.append(name)
    assert {*offered} >= {*PIXELS, *CELLS, "KernelShap", "ShapleyValues"}


def test_integrated_gradients_of_a_linear_network_are_weights_times_pixels(task: Task, monkeypatch) -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE**2, 3))
    monkeypatch.setattr(task.performer, "stages", {"logits": linear.requires_grad_(False)})
    monkeypatch.setattr(task.performer, "roles", {"logits": "logits"})
    images = task.batch("test", range(3)).images
    explainer = Captum(parameters={"n_steps": 5})
    explainer.fit(task.training)
    weights = linear[1].weight[task.target].reshape(3, SIDE, SIDE)
    found = explainer._fitted.of(images)
    torch.testing.assert_close(found.float(), images.pixels * weights)


@pytest.mark.parametrize("method", ["IntegratedGradients", "LayerIntegratedGradients", "LayerConductance", "DeepLift"])
@pytest.mark.filterwarnings("ignore")
def test_few_images_are_attributed_at_once_with_the_same_result(method: str, task: Task, monkeypatch) -> None:
    images = task.batch("test", range(7)).images
    explainer = Captum(method=method, layer="top_conv")
    explainer.fit(task.training)
    whole = explainer.explain(images).maps
    monkeypatch.setattr(library, "MOST_PIXELS", 2 * SIDE**2)
    seen: list[int] = []
    first = explainer._fitted._network[0]
    first.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    torch.testing.assert_close(explainer.explain(images).maps, whole)
    assert max(seen) <= 4  # two images, beside their baselines or their next step


def test_smoothing_draws_for_each_image_anew(task: Task) -> None:
    given = {"method": "Saliency", "smooth": "smoothgrad", "smooth_samples": 2}
    assert not Captum(**given).deterministic()
    assert check_explainer(Captum, task, images=4, given=given) is not None


def test_what_is_no_attribution_of_a_logit_is_refused() -> None:
    with pytest.raises(InputError, match="NeuronGradient is no attribution of a logit"):
        Captum(method="NeuronGradient")
    with pytest.raises(InputError, match="FeaturePermutation is no attribution"):
        Captum(method="FeaturePermutation")
    with pytest.raises(InputError, match="did you mean 'Saliency'"):
        Captum(method="Salency")
    with pytest.raises(InputError, match="no parameter of IntegratedGradients named 'n_step'"):
        Captum(parameters={"n_step": 3})


def test_tasks_and_orders_that_cannot_be_explained_are_skipped(task: Task, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="explains one logit"):
        Captum().fit(toy_task(tmp_path, "multi").training)
    with pytest.raises(NotApplicable, match="all orders of 9 squares"):
        Captum(method="ShapleyValues", square=4).fit(task.training)
