import torch
from partbench_topk_sae import TopkSae

from partbench import open_task
from partbench.testing import check_explainer


def test_a_cell_activates_at_most_k_units_and_training_lowers_the_error() -> None:
    generator = torch.Generator().manual_seed(0)
    cells = torch.rand(2000, 4, generator=generator) ** 8 @ torch.rand(4, 10, generator=generator)
    errors = []
    for steps in (1, 300):
        explainer = TopkSae(units=16, active=3, steps=steps)
        explainer.learn(cells, 0)
        codes = explainer.encode(cells)
        assert (codes >= 0).all()
        assert int((codes > 0).sum(1).max()) <= 3
        errors.append(float((explainer.decode(codes) - cells).square().mean()))
    assert errors[1] < 0.1 * float(cells.var()) < errors[0]


def test_it_keeps_the_contract() -> None:
    explanation = check_explainer(TopkSae, open_task("fauna/multi:bird"), given={"units": 8, "steps": 20})
    assert explanation is not None
    assert explanation.contributions.shape[1] == 8
