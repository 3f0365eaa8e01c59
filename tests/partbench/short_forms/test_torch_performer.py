"""Performers from torch networks: the same answers as the network, roles, outputs, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from partbench import InputError, Task, check_performer, open_task, torch_performer
from partbench.performers.small_vgg import SmallVgg

LAYERS = {"target": "0.conv4", "top_conv": "0.conv5", "fc1": "1.fc6", "fc2": "1.fc7"}
NORMALISATION = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task() -> Task:
    return open_task("fauna/multi:bird")


@pytest.fixture(scope="module")
def network(task: Task) -> nn.Module:
    """The stages of small_vgg without their normalisation, as a network of two parts."""
    stages = dict(list(task.performer.stages.items())[1:])
    parts = [nn.Sequential(), nn.Sequential()]
    for name, stage in stages.items():
        parts[name.startswith("fc")].add_module(name, stage)
    return nn.Sequential(*parts)


def test_a_network_cut_at_its_layers_is_the_performer_that_it_was_taken_from(task: Task, network: nn.Module) -> None:
    cls = torch_performer(network, name="copy", input_size=64, layers=LAYERS, normalisation=NORMALISATION)
    found, own = cls.open(task.dataset, CPU), SmallVgg.open(task.dataset, CPU)
    check_performer(found, task.dataset)
    pixels = task.batch("test", range(3)).pixels
    for role in ("target", "top_conv", "fc1", "fc2", "logits"):
        torch.testing.assert_close(found.activations(pixels, [role])[role], own.activations(pixels, [role])[role])
    assert found.receptive_field("target") == own.receptive_field("target")
    assert (found.targets, found.outputs) == (own.targets, own.outputs)
    assert (cls.name, cls.input_size, cls.__module__) == ("copy", 64, __name__)


def test_the_fingerprint_follows_the_weights(task: Task, network: nn.Module) -> None:
    def opened(bias: float):
        def shifted(dataset):
            """A network of a function."""
            found = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 6))
            for weight in found.parameters():
                nn.init.constant_(weight, bias)
            return found

        return torch_performer(input_size=64, layers={"target": "0"})(shifted).open(task.dataset, CPU)

    before = torch.random.get_rng_state()
    assert opened(1).fingerprint == opened(1).fingerprint != opened(2).fingerprint
    assert torch.equal(torch.random.get_rng_state(), before)
    assert opened(1).name == "shifted"


def test_outputs_may_have_other_names_beside_the_categories(task: Task) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    given = {"name": "three", "input_size": 64, "layers": {"target": "0"}}
    found = torch_performer(network, outputs=("tree", "cat", "dog"), **given).open(task.dataset, CPU)
    assert found.targets == {"cat": 1, "dog": 2}
    with pytest.raises(InputError, match=r"three returns \(1, 3\) for one image, expected \(1, 6\): bird, cat"):
        torch_performer(network, **given).open(task.dataset, CPU)


def test_a_name_a_target_and_known_roles_and_layers_are_expected(task: Task, network: nn.Module) -> None:
    given = {"input_size": 64, "name": "odd"}
    with pytest.raises(InputError, match="needs a name"):
        torch_performer(network, input_size=64, layers=LAYERS)
    with pytest.raises(InputError, match="odd has no target"):
        torch_performer(network, layers={"fc1": "1.fc6"}, **given)
    with pytest.raises(InputError, match="no role of a layer of odd named 'top'"):
        torch_performer(network, layers={"top": "0"}, **given)
    with pytest.raises(InputError, match=r"did you mean '0\.conv4'"):
        torch_performer(network, layers={"target": "0.conv44"}, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layers": ["0.conv4"]}, "odd: layers is .*, expected role: path of a submodule"),
        ({"layers": {"target": 4}}, "expected role: path of a submodule"),
        ({"layers": {"target": "nowhere"}}, "no layer of the network named 'nowhere'; .*on its first level are 0, 1"),
        ({"normalisation": (0.5, 0.25)}, "expected the means and the standard deviations of 3 channels"),
        ({"normalisation": ((0, 0, 0), (1, 1, 0))}, "expected the means and the standard deviations"),
        ({"normalisation": ((0, 0), (1, 1))}, "expected the means and the standard deviations"),
        ({"outputs": "cat"}, "outputs is 'cat', expected a list of different names"),
        ({"outputs": ("cat", "cat")}, "expected a list of different names"),
        ({"outputs": ()}, "expected a list of different names"),
        ({"input_size": "64"}, "its input_size is '64', expected a number of px above 0"),
        ({"version": 2}, "its version is 2, expected a text"),
        ({"name": 3}, "name is 3, expected a text"),
    ],
)
def test_other_arguments_are_refused_where_the_performer_is_defined(network: nn.Module, given: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        torch_performer(network, **{"name": "odd", "input_size": 64, "layers": {"target": "0.conv4"}, **given})


def test_what_a_function_takes_and_returns_and_outputs_of_other_data_are_told(task: Task, network: nn.Module) -> None:
    given = {"input_size": 64, "layers": {"target": "0.conv4"}}
    with pytest.raises(InputError, match=r"other is other\(\), expected \(dataset\)"):
        torch_performer(lambda: network, name="other", **given)
    with pytest.raises(InputError, match=r"what the function returns is .*, expected a torch.nn.Module"):
        torch_performer(lambda dataset: network.state_dict(), name="other", **given).open(task.dataset, CPU)
    with pytest.raises(InputError, match="other has the outputs tree; expected some of bird, cat"):
        torch_performer(network, name="other", outputs=("tree",), **given).open(task.dataset, CPU)
