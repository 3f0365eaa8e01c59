import pytest
import torch
from partbench_nmf import NmfConcepts, quasi_random_masks, total_sobol

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


def test_total_indices_of_a_sum_are_the_shares_of_the_squared_weights() -> None:
    weights = torch.tensor([[3.0, 1.0, 0.0], [1.0, 1.0, 2.0]])
    found = total_sobol(lambda mask: weights @ mask, *quasi_random_masks(3, 1024, 0))
    squares = weights.square()
    torch.testing.assert_close(found, squares / squares.sum(1, keepdim=True), atol=0.01, rtol=0)


@pytest.mark.parametrize("factors", [2, 3])
def test_total_indices_of_a_product_count_what_factors_do_together(factors: int) -> None:
    found = total_sobol(lambda mask: mask.prod()[None], *quasi_random_masks(factors, 4096, 1))
    expected = (1 / 12) * (1 / 3) ** (factors - 1) / ((1 / 3) ** factors - (1 / 4) ** factors)  # 4/7 of two factors
    torch.testing.assert_close(found, torch.full((1, factors), expected), atol=0.02, rtol=0)


def test_what_never_varies_has_indices_of_0() -> None:
    assert total_sobol(lambda mask: torch.ones(2), *quasi_random_masks(3, 8, 0)).tolist() == [[0.0] * 3] * 2


def test_a_number_of_masks_that_is_no_power_of_2_is_refused() -> None:
    with pytest.raises(InputError, match="designs is 33, expected a power of 2"):
        NmfConcepts(designs=33)


@pytest.mark.parametrize("importance", ["gradient", "sobol"])
def test_it_keeps_the_contract(importance: str) -> None:
    given = {"concepts": 3, "importance": importance, "designs": 8}
    explanation = check_explainer(NmfConcepts, open_task("fauna/multi:bird"), given=given)
    assert explanation is not None
    assert explanation.maps.shape[1] == 3
    assert importance == "gradient" or (explanation.contributions >= 0).all()
