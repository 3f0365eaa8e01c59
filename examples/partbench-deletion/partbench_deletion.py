"""Two metrics of one map an image: the pointing game, and deletion."""

import torch

from partbench import hookimpl, image_metric

STEPS = 16


def combined(heatmaps: torch.Tensor) -> torch.Tensor:
    """One map of those of k concepts (k, H, W): the mean of the maps, each scaled to a maximum of 1."""
    return (heatmaps / heatmaps.amax((1, 2), keepdim=True).clamp(min=1e-12)).mean(0)


def pointing_game(heatmaps, masks):
    """Share of images whose map is highest on a part of the object, in [0, 1]; higher is better.

    Source: Zhang et al., "Top-down neural attention by Excitation Backprop", ECCV 2016, section 4.1; without their
    tolerance of 15 px. Where a map is highest at several pixels, the share of them that lies on the object.
    """
    heat = combined(heatmaps)
    return float(masks.any(0)[heat == heat.max()].float().mean())


def deletion(pixels, heatmaps, predict):
    """Mean of the explained logit while ever more pixels turn grey, the most important first; lower is better.

    In logits, less the logit of the whole image: 0 for a map whose pixels do not matter, below 0 for one whose do.

    Source: Petsiuk et al., "RISE", BMVC 2018, section 4.2, who take probabilities and black pixels. 16 steps.
    """
    order = combined(heatmaps).flatten().argsort(descending=True, stable=True)
    images = pixels.expand(STEPS + 1, -1, -1, -1).clone()
    for step in range(1, STEPS + 1):
        gone = order[: round(len(order) * step / STEPS)]
        images[step].flatten(1)[:, gone] = 0.5
    logits = predict(images)
    return float((logits - logits[0]).mean())


PointingGame = image_metric(higher_is_better=True, bounds=(0.0, 1.0))(pointing_game)
Deletion = image_metric(higher_is_better=False)(deletion)


@hookimpl
def register_metrics(register):
    register(PointingGame)
    register(Deletion)
