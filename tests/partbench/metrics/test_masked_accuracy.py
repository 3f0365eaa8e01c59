from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Explanation, InputError, NotApplicable, open_task
from partbench.metrics.masked_accuracy import MaskedAccuracy
from partbench.running.cell import outputs_of

SIZE = 32


def corner_reader(images):
    """A performer that sees class 0 where the upper left 8 x 8 px are red, else class 1."""
    corner = images[:, :, :8, :8].mean((2, 3))
    red = corner[:, 0] - corner[:, 1]
    return torch.stack([red, torch.full_like(red, 0.5)], 1)


@pytest.fixture(scope="module")
def red_corner(make_batch, make_outputs):
    images = torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 0.2
    images[:, 0, :8, :8] = 1
    batch = make_batch(6, images=images)
    return batch, make_outputs(corner_reader(images), predict=corner_reader)


def patch(n, y, x, cells=8):
    maps = torch.zeros(n, 1, cells, cells)
    maps[:, :, y : y + 3, x : x + 3] = 1
    return maps


def means(found):
    return {name.partition("@")[2] or "main": float(np.mean(scores.values)) for name, scores in found.items()}


def test_map_on_the_read_patch_keeps_the_class_and_one_elsewhere_loses_it(score, red_corner):
    batch, outputs = red_corner
    on = means(score(MaskedAccuracy(), Explanation(patch(6, 0, 0)), outputs, batch))
    off = means(score(MaskedAccuracy(), Explanation(patch(6, 5, 5)), outputs, batch))
    assert on["main"] == 1
    assert off["main"] == 0
    assert on["original"] == off["original"] == 1
    assert 0 < on["kept"] < 0.3
    assert MaskedAccuracy.higher_is_better


def test_map_that_keeps_everything_scores_as_the_original_and_says_so(score, red_corner):
    batch, _ = red_corner
    seen = []

    def predict(images):
        seen.append(images)
        return corner_reader(images)

    outputs = type(red_corner[1])(red_corner[1].logits, red_corner[1].positive, 0, red_corner[1].explained, predict)
    found = means(score(MaskedAccuracy(), Explanation(torch.ones(6, 2, 4, 4)), outputs, batch))
    assert found["main"] == found["original"] == found["kept"] == 1
    assert not seen  # nothing was painted, so that the performer need not be asked again


def test_zero_maps_keep_nothing(score, red_corner):
    batch, outputs = red_corner
    found = means(score(MaskedAccuracy(), Explanation(torch.zeros(6, 2, 4, 4)), outputs, batch))
    assert found["kept"] == 0
    assert found["main"] == 0


def test_union_takes_concepts_of_positive_contribution_only(score, red_corner):
    batch, outputs = red_corner
    maps = torch.cat([patch(6, 0, 0), patch(6, 5, 5)], 1)
    found = []
    for shares in ([1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]):
        explanation = Explanation(maps, contributions=torch.tensor([shares] * 6))
        found.append(means(score(MaskedAccuracy(), explanation, outputs, batch)))
    assert [means["main"] for means in found[:2]] == [1, 0]
    assert found[2]["kept"] == 0


def test_higher_gamma_keeps_fewer_pixels_and_the_first_gamma_is_the_main_one(score, red_corner):
    batch, outputs = red_corner
    maps = torch.rand(6, 3, 8, 8)
    kept = [means(score(MaskedAccuracy(gammas=(g,)), Explanation(maps), outputs, batch))["kept"] for g in (0.1, 0.5, 1)]
    assert kept[0] > kept[1] > kept[2] > 0
    names = score(MaskedAccuracy(), Explanation(maps), outputs, batch)
    variants = {name.partition("@")[2] for name in names}
    assert variants == {"", "original", "kept", "random", "gamma=0.01", "gamma=0.1", "gamma=0.3"}


def test_other_gammas_are_tried_on_the_first_images_only(score, red_corner):
    batch, outputs = red_corner
    metric = MaskedAccuracy(gammas=(0.5, 0.2), gamma_limit=8)
    score(metric, Explanation(patch(6, 0, 0)), outputs, batch)
    found = score(metric, Explanation(patch(6, 5, 5)), outputs, batch)
    assert list(found["masked_accuracy@gamma=0.2"].values) == [1] * 6 + [0] * 2
    assert list(found["masked_accuracy"].values) == [1] * 6 + [0] * 6
    none = score(MaskedAccuracy(gammas=(0.5, 0.2), gamma_limit=0), Explanation(patch(6, 0, 0)), outputs, batch)
    assert "masked_accuracy@gamma=0.2" not in none


def test_diffusion_gives_nearly_the_accuracy_of_telea_on_fauna():
    """Blobs of which about a third of the image is kept: neither all images nor none are recognised."""
    task = open_task("fauna/multi:horse")
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()[:80].tolist()
    batch = task.batch("test", rows)
    blobs = torch.rand(len(batch), 3, 4, 4, generator=torch.Generator().manual_seed(0)) ** 4
    found = {}
    for inpainting in ("diffusion", "telea"):
        metric = MaskedAccuracy(gammas=(0.3,), inpainting=inpainting)
        metric.update(batch, Explanation(blobs), outputs_of(task, batch))
        found[inpainting] = metric.compute()
    for variant in ("", "@random"):
        values = [np.array(of[f"masked_accuracy{variant}"].values) for of in found.values()]
        assert 0.3 < values[1].mean() < 0.98
        assert abs(values[0].mean() - values[1].mean()) <= 0.05
        assert (values[0] == values[1]).mean() > 0.85


def test_images_past_the_limit_are_not_used(score, red_corner):
    batch, outputs = red_corner
    metric = MaskedAccuracy(limit=4)
    score(metric, Explanation(patch(6, 0, 0)), outputs, batch)
    found = score(metric, Explanation(patch(6, 5, 5)), outputs, batch)
    assert {len(scores.units) for scores in found.values()} == {4}
    assert means(found)["main"] == 1


def test_task_that_explains_all_logits_is_not_applicable(score, make_outputs):
    with pytest.raises(NotApplicable, match="all logits"):
        score(MaskedAccuracy(), Explanation(torch.ones(2, 1, 4, 4)), make_outputs(torch.zeros(2, 2), target=None))


@pytest.mark.parametrize("options", [{"gammas": ()}, {"gammas": (0.0,)}, {"gammas": (1.5,)}, {"limit": 0}])
def test_option_out_of_range_is_an_input_error_that_quotes_it(options):
    with pytest.raises(InputError, match=next(iter(options))):
        MaskedAccuracy(**options)
