import torch
from partbench_saliency import Saliency

from partbench import open_task
from partbench.testing import check_explainer


def test_it_keeps_the_contract() -> None:
    check_explainer(Saliency, open_task("fauna/multi:dog"))


def test_maps_are_the_mean_gradient_of_squares_of_pixels() -> None:
    task = open_task("fauna/multi:dog")
    images = task.batch("test", range(2)).images
    whole, pooled = (Saliency(cell=cell) for cell in (1, 8))
    for explainer in (whole, pooled):
        explainer.fit(task.training)
    pixels, cells = whole.explain(images).maps, pooled.explain(images).maps
    torch.testing.assert_close(cells[0, 0, 0, 0], pixels[0, 0, :8, :8].mean())
