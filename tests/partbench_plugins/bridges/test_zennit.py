"""Relevance by zennit."""

from __future__ import annotations

import pytest
import torch

from partbench import InputError, NotApplicable, Task, check_explainer, torchvision
from partbench_plugins.bridges.zennit import Zennit

from ..toys import SIDE

torchvision()
pytest.importorskip("zennit", reason="needs zennit: pip install 'partbench[zennit]'")
COMPOSITES = (
    "BetaSmooth", "DeconvNet", "EpsilonAlpha2Beta1", "EpsilonAlpha2Beta1Flat", "EpsilonGammaBox", "EpsilonPlus",
    "EpsilonPlusFlat", "ExcitationBackprop", "GuidedBackprop",
)  # fmt: skip
RULES = ("AlphaBeta", "Epsilon", "Flat", "Gamma", "WSquare", "ZPlus")


@pytest.mark.parametrize("composite", [*COMPOSITES, *RULES])
def test_every_composite_and_rule_keeps_the_contract(composite: str, task: Task) -> None:
    explanation = check_explainer(Zennit, task, images=4, given={"composite": composite})
    assert explanation is not None
    assert explanation.maps.shape == (4, 1, SIDE, SIDE)
    assert float(explanation.maps.max()) > 0


def test_relevance_sums_to_the_logit_where_no_layer_has_a_bias(task: Task, monkeypatch) -> None:
    for stage in task.performer.stages.values():
        for module in stage.modules():
            if getattr(module, "bias", None) is not None:
                monkeypatch.setattr(module.bias, "data", torch.zeros_like(module.bias))
    images = task.batch("test", range(4)).images
    images = images.with_pixels(images.pixels.flip(-1))  # whose activations are not cached
    for layer in ("images", "target"):
        explainer = Zennit(composite="Epsilon", layer=layer)
        explainer.fit(task.training)
        total = explainer._fitted.of(images).sum((1, 2, 3))
        torch.testing.assert_close(total, task.training.explained(images), rtol=1e-3, atol=1e-5)


def test_maps_can_be_read_at_a_layer(task: Task) -> None:
    explanation = check_explainer(Zennit, task, images=4, given={"layer": "target", "sign": "absolute"})
    assert explanation is not None
    assert explanation.grid == task.performer.receptive_field("target")


def test_unknown_composites_and_parameters_are_refused(task: Task) -> None:
    with pytest.raises(InputError, match="did you mean 'EpsilonPlus'"):
        Zennit(composite="EpsilonPlux")
    with pytest.raises(InputError, match="no parameter of EpsilonPlus named 'eps'"):
        Zennit(parameters={"eps": 1})
    with pytest.raises(InputError, match="needs the bounds of pixels"):
        Zennit(composite="EpsilonGammaBox", layer="target").fit(task.training)


def test_relevance_that_is_not_finite_skips_the_cell(task: Task, monkeypatch) -> None:
    convolution = next(
        m for stage in task.performer.stages.values() for m in stage.modules() if isinstance(m, torch.nn.Conv2d)
    )
    monkeypatch.setattr(convolution.weight, "data", torch.zeros_like(convolution.weight))
    monkeypatch.setattr(convolution.bias, "data", torch.zeros_like(convolution.bias))
    explainer = Zennit(composite="Epsilon", parameters={"epsilon": 0.0})
    explainer.fit(task.training)
    with pytest.raises(NotApplicable, match="relevance by Epsilon is not finite at layer 'images'"):
        explainer.explain(task.batch("test", range(2)).images)
