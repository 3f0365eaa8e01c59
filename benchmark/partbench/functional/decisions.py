"""What logits say of the category of images, and on which images they are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.functional.statistics import agreement, hits, one_against_rest, replace_logit
from partbench.types import Explanation, NotApplicable, PerformerOutputs


class Decisions(NamedTuple):
    """Logits of an explainer and of the network it explains, (n,) or (n, c); 1 where each is right, else 0.

    `side` is the side each image is of: of one logit 1 for the category and 0 for all else, of all logits the index of
    its category, -1 for none. NaN where a logit is not finite.
    """

    predicted: Float[np.ndarray, "n *c"]
    explained: Float[np.ndarray, "n *c"]
    side: Int[np.ndarray, "n"]
    explainer: Float[np.ndarray, "n"]
    performer: Float[np.ndarray, "n"]


def decisions(explanation: Explanation, outputs: PerformerOutputs) -> Decisions:
    """What is decided of each image, by rules that are not fitted to these images.

    One logit says "the category" where it is above the explainer's threshold, chosen on training data; without one,
    above 0, the rule of log-odds; without one and where it predicts one logit of a performer with several, where it is
    the largest among them. Of all logits the largest decides. The network explained follows the same rules, without a
    threshold; of an explainer that is a classifier itself, the task's performer is compared. A logit that is the
    performer's own follows the performer's rule, whoever gives it.

    Raises NotApplicable where nothing is predicted, or not for every explained category.
    """
    own = outputs.category_logits if outputs.target is None else outputs.explained
    another = explanation.explained is not None and not explanation.is_classifier
    explained = explanation.explained if another else own
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
    alone = given is not None and own is not None and not torch.equal(given, own.to(given))
    if explanation.threshold is not None:
        right = agreement(logits[0], side > 0, explanation.threshold)
    else:
        right = _one_logit(logits[0], side, outputs, alone)
    return Decisions(*logits, side, right, _one_logit(logits[1], side, outputs, alone and another))


def _one_logit(
    logits: Float[np.ndarray, "n"], side: Int[np.ndarray, "n"], outputs: PerformerOutputs, alone: bool
) -> Float[np.ndarray, "n"]:
    """1 where the logit, alone or in the place of the explained one, tells the side of an image, else 0."""
    if alone or outputs.target is None:
        return agreement(logits, side > 0, 0.0)
    return one_against_rest(replace_logit(_numpy(outputs.logits), outputs.target, logits), outputs.target, side > 0)


def _numpy(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.detach().cpu().numpy()
    return found
