import pytest
import torch
from partbench_nmf import NmfConcepts

from partbench import InputError, open_task
from partbench.testing import check_explainer


def planted(concepts: int = 4, channels: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells that are mixtures of directions which share no channel, and the directions."""
    directions = torch.zeros(concepts, channels)
    for i in range(concepts):
        directions[i, i * 3 : i * 3 + 3] = torch.tensor([1.0, 2.0, 0.5])
    codes = torch.rand(600, concepts, generator=torch.Generator().manual_seed(0)) ** 4
    return codes @ directions, directions


def test_planted_directions_are_found() -> None:
    cells, directions = planted()
    explainer = NmfConcepts(concepts=4)
    explainer.learn(cells, 0)
    found = torch.nn.functional.normalize(explainer._w, dim=1) @ torch.nn.functional.normalize(directions, dim=1).T
    assert (found.amax(0) > 0.99).all()
    torch.testing.assert_close(explainer.decode(explainer.encode(cells)), cells, atol=0.02, rtol=0.02)


def test_a_layer_with_negative_activations_is_refused() -> None:
    with pytest.raises(InputError, match="choose a layer after a ReLU"):
        NmfConcepts().learn(torch.tensor([[1.0, -1.0]]), 0)


def test_it_keeps_the_contract() -> None:
    explanation = check_explainer(NmfConcepts, open_task("fauna/multi:bird"), given={"concepts": 3})
    assert explanation is not None
    assert explanation.maps.shape[1] == 3
