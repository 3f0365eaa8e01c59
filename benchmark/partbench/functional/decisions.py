"""Which images an explainer's logits classify correctly, and which the logits that they explain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.functional.statistics import agreement, hits, one_against_rest, replace_logit
from partbench.types import Explanation, NotApplicable, PerformerOutputs


class Decisions(NamedTuple):
    """Logits of an explainer and of the network it explains, and which images each of them classifies correctly.

    predicted, explained: the logits, (n,) for one explained logit, (n, c) for all. side: of one logit 1 for images of
    the category and 0 for all others; of all logits the index of the image's category, -1 for none. explainer_right,
    performer_right: 1 where the image is classified correctly, else 0; NaN where a logit is not finite.
    """

    predicted: Float[np.ndarray, "n *c"]
    explained: Float[np.ndarray, "n *c"]
    side: Int[np.ndarray, "n"]
    explainer_right: Float[np.ndarray, "n"]
    performer_right: Float[np.ndarray, "n"]


def decisions(explanation: Explanation, outputs: PerformerOutputs) -> Decisions:
    """Classify each image, by rules that are not fitted to these images.

    All logits: the largest decides. One logit calls an image positive by the first of these rules that applies:

    1. The explainer has a threshold, chosen on training data: the logit is above it.
    2. The logit predicts one logit of a performer with several: it is the largest among them, in its place.
    3. Otherwise (the performer has one output, or the explainer explains a network of its own): it is above 0, the
       rule of log-odds.

    The network explained is judged by rules 2 and 3. An explainer that is a classifier itself is compared with the
    task's performer. A logit equal to the performer's falls under rule 2, even if the explainer gives it as its own.

    Raises NotApplicable where nothing is predicted, or not for every explained category.
    """
    of_performer = outputs.category_logits if outputs.target is None else outputs.explained
    own_network = explanation.explained is not None and not explanation.is_classifier
    explained = explanation.explained if own_network else of_performer
    if explained is None or explanation.logits is None:
        raise NotApplicable("no logits are predicted")
    if explained.shape != explanation.logits.shape:
        raise NotApplicable(f"logits are {tuple(explanation.logits.shape)}, expected {tuple(explained.shape)}")
    category = outputs.positive.long() - 1 if outputs.category is None else outputs.category
    side = _numpy(outputs.positive.long() if outputs.target is not None else category)
    logits = _numpy(explanation.logits), _numpy(explained)
    if explained.ndim > 1:
        return Decisions(*logits, side, hits(logits[0], side), hits(logits[1], side))
    given = explanation.explained
    alone = given is not None and of_performer is not None and not torch.equal(given, of_performer.to(given))
    if explanation.threshold is not None:
        right = agreement(logits[0], side > 0, explanation.threshold)
    else:
        right = _one_logit(logits[0], side, outputs, alone)
    return Decisions(*logits, side, right, _one_logit(logits[1], side, outputs, alone and own_network))


def _one_logit(
    logits: Float[np.ndarray, "n"], side: Int[np.ndarray, "n"], outputs: PerformerOutputs, alone: bool
) -> Float[np.ndarray, "n"]:
    """1 where an image is classified correctly, by the sign of a logit that stands alone, else among all logits."""
    if alone or outputs.target is None:
        return agreement(logits, side > 0, 0.0)
    return one_against_rest(replace_logit(_numpy(outputs.logits), outputs.target, logits), outputs.target, side > 0)


def _numpy(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.detach().cpu().numpy()
    return found
