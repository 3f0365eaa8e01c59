"""Class activation maps of pytorch-grad-cam."""

from __future__ import annotations

import pytest

from partbench import InputError, Task, check_explainer, torchvision
from partbench_plugins.bridges.grad_cam import GradCam

from ..toys import SIDE

torchvision()
pytest.importorskip("pytorch_grad_cam", reason="needs pytorch-grad-cam: pip install 'partbench[grad-cam]'")
METHODS = (
    "AblationCAM", "EigenCAM", "EigenGradCAM", "FEM", "FullGrad", "GradCAM", "GradCAMElementWise", "GradCAMPlusPlus",
    "HiResCAM", "KPCA_CAM", "LayerCAM", "RandomCAM", "ScoreCAM", "ShapleyCAM", "XGradCAM",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_contract_and_is_silent(method: str, task: Task, capfd) -> None:
    explanation = check_explainer(GradCam, task, images=4, given={"method": method, "layer": "target"})
    assert explanation is not None
    assert explanation.maps.shape[-1] == (SIDE if method == "FullGrad" else SIDE // 2)
    assert 0 <= float(explanation.maps.max()) <= 1
    assert capfd.readouterr().err == ""


def test_maps_lie_on_the_cells_of_the_layer(task: Task) -> None:
    explainer = GradCam(layer="target")
    explainer.fit(task.training)
    found = explainer.explain(task.batch("test", range(2)).images)
    assert found.grid == task.performer.receptive_field("target")


def test_what_is_no_class_activation_map_is_refused() -> None:
    with pytest.raises(InputError, match="GuidedBackpropReLUModel is no class activation map"):
        GradCam(method="GuidedBackpropReLUModel")
    with pytest.raises(InputError, match="did you mean 'GradCAM'"):
        GradCam(method="GradCam")
