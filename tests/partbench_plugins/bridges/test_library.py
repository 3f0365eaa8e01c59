"""What the bridges share: missing libraries, releases, parameters, copies of a performer."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from partbench import InputError, NotApplicable, Task
from partbench.performers.normalise import Normalise
from partbench.registry import load
from partbench_plugins.bridges import captum, grad_cam, library, zennit
from partbench_plugins.bridges.library import Library, NetworkCopy, drawn_alike, expect_parameters, one_map

from ..toys import SIDE

ABSENT = Library("Nothing", "no-such-distribution", "nothing")
BRIDGES = {"captum": captum.CAPTUM, "grad_cam": grad_cam.GRAD_CAM, "zennit": zennit.ZENNIT}


def test_a_missing_library_is_one_line_that_says_what_to_install() -> None:
    assert ABSENT.release == ""
    with pytest.raises(NotApplicable, match=r"^needs Nothing: pip install 'partbench\[nothing\]'$"):
        ABSENT.module("nothing")


@pytest.mark.parametrize("name", BRIDGES)
def test_an_explainer_without_its_library_is_skipped(name: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Library, "release", "")
    explainer = load().explainers[name].cls()
    assert explainer.release == ""
    assert explainer.deterministic() in (True, False)
    with pytest.raises(NotApplicable, match=rf"^needs .*pip install 'partbench\[{BRIDGES[name].extra}\]'$"):
        explainer.fit(task.training)


@pytest.mark.parametrize("name", BRIDGES)
def test_another_release_than_the_installed_one_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: release is '0.0.1', but .* installed; leave release out, or"):
        load().explainers[name].cls(release="0.0.1")


def test_loading_all_plugins_imports_no_library_that_only_some_use() -> None:
    code = """
import sys
from partbench.registry import load
registry = load()
for name in ("captum", "grad_cam", "zennit"):
    explainer = registry.explainers[name].cls()
    explainer.control(), explainer.compared_with(), explainer.deterministic()
heavy = ("captum", "pytorch_grad_cam", "zennit", "quantus", "torchvision", "sklearn", "scipy.stats", "pandas")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stderr


def test_parameters_that_a_function_lacks_or_partbench_sets_are_refused() -> None:
    def attribute(self, inputs, target=None, n_steps=50): ...

    expect_parameters("IG", attribute, {"n_steps": 3}, ("inputs", "target"))
    with pytest.raises(InputError, match="no parameter of IG named 'n_step'; did you mean 'n_steps'"):
        expect_parameters("IG", attribute, {"n_step": 3}, ("inputs", "target"))
    with pytest.raises(InputError, match="IG: the parameter target is set by partbench"):
        expect_parameters("IG", attribute, {"target": 3}, ("inputs", "target"))


def test_a_network_is_a_copy_that_computes_the_same(task: Task) -> None:
    images = task.batch("test", range(3)).images
    for start, x in (("images", images.pixels), ("target", images.activations("target"))):
        network = NetworkCopy(task.training, start)
        torch.testing.assert_close(network(x), images.activations("logits"))
        own = {id(module) for stage in task.performer.stages.values() for module in stage.modules()}
        assert not own & {id(module) for module in network.modules()}
    x = network.stage(task.training, "top_conv")(images.activations("target"))
    torch.testing.assert_close(x, images.activations("top_conv"))


def test_weights_of_a_copy_take_no_memory_and_can_be_replaced(task: Task) -> None:
    layers = [stage for stage in task.performer.stages.values() if [*stage.parameters()]]
    before = [weight.clone() for stage in layers for weight in stage.parameters()]
    own = {weight.data_ptr() for stage in layers for weight in (*stage.parameters(), *stage.buffers())}
    network = NetworkCopy(task.training)
    weights = [*network.parameters(), *network.buffers()]
    assert {weight.data_ptr() for weight in weights} <= own
    for weight in weights:
        weight.data = weight.data + 1
        weight.requires_grad_()
    after = [weight for stage in layers for weight in stage.parameters()]
    assert all(map(torch.equal, before, after))
    assert not any(weight.requires_grad for weight in after)


def test_the_normalisation_is_split_off_and_relus_do_not_work_in_place(task: Task, monkeypatch) -> None:
    stages = {"a": nn.Sequential(Normalise((0.5,) * 3, (0.2,) * 3), nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True))}
    stages |= {"b": nn.Sequential(nn.Flatten(), nn.LazyLinear(3))}
    x = torch.rand(2, 3, 4, 4)
    expected = nn.Sequential(*stages.values())(x)
    monkeypatch.setattr(task.performer, "stages", stages)
    monkeypatch.setattr(task.performer, "roles", {"logits": "b"})
    network = NetworkCopy(task.training)
    normalise = network.split_normalisation()
    assert isinstance(normalise, Normalise)
    assert not any(isinstance(m, Normalise) for m in network.modules())
    assert not any(getattr(module, "inplace", False) for module in network.modules())
    torch.testing.assert_close(network(normalise(x)), expected)
    assert isinstance(network.split_normalisation(), nn.Identity)


def test_one_map_sums_channels_and_has_no_negative_value() -> None:
    attribution = torch.tensor([1.0, -3.0]).reshape(1, 2, 1, 1)
    assert one_map(attribution, "absolute").item() == 2.0
    assert one_map(attribution, "positive").item() == 0.0
    with pytest.raises(NotApplicable, match="is the layer a map"):
        one_map(torch.zeros(2, 3), "absolute")


@pytest.mark.parametrize(("name", "layer"), [("captum", "target"), ("grad_cam", "target"), ("zennit", "images")])
def test_few_images_are_attributed_at_once(name: str, layer: str, task: Task, monkeypatch) -> None:
    images = task.batch("test", range(7)).images
    explainer = load().explainers[name].cls(layer=layer)
    explainer.fit(task.training)
    whole, sizes = explainer.explain(images).maps, []
    monkeypatch.setattr(library, "MOST_PIXELS", 2 * SIDE**2)
    forward = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x))
    torch.testing.assert_close(explainer.explain(images).maps, whole)
    assert max(sizes) == 2


def test_random_numbers_are_those_of_the_image_and_leave_the_generator_alone() -> None:
    before, found = torch.get_rng_state(), []
    for text, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1)):
        with drawn_alike(text, seed):
            found.append(float(torch.rand(())))
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert torch.equal(torch.get_rng_state(), before)
