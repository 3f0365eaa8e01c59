"""The base class of explainers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from partbench.options import resolve_options
from partbench.types import Explanation, Images

if TYPE_CHECKING:
    from partbench.training_task import TrainingTask

Control = Literal["", "floor", "ablation", "baseline"]


class Remarked(NamedTuple):
    """A reported value, and what a reader of it must know in a few words ("at chance")."""

    value: float
    remark: str


class Explainer:
    """A dataclass whose fields are its options; `name` is what users type.

    `fit` learns from training images and the performer's activations of them; `explain` may be called for any images
    afterwards. Raise `NotApplicable` from `fit` for a task that cannot be explained this way.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        """Set the options that were left out and check all options: see `resolve_options`."""
        if dataclasses.is_dataclass(self):
            resolve_options(self)

    def fit(self, task: TrainingTask) -> None:
        """Learn from the training images. Raises NotApplicable for a task that cannot be explained this way."""
        raise NotImplementedError

    def explain(self, images: Images) -> Explanation:
        """The explanation of n images. That of an image must not depend on the others in the batch."""
        raise NotImplementedError

    def report(self) -> Mapping[str, float | Remarked]:
        """Numbers by name that the explainer reports of itself after `fit`; they become rows of the results.

        A `Remarked` number comes with words on what a reader must know ("the network is at chance").

        `name@layer` is the value of one layer; `bench show` draws these. A name that ends in `_share` is a fraction in
        [0, 1].
        """
        return {}

    def curves(self) -> Mapping[str, Sequence[float]]:
        """Values by name along the training, one for each epoch, after `fit`; `bench show` draws them."""
        return {}

    def concept_names(self) -> tuple[str, ...]:
        """Names of the concepts for pictures, after `fit`; empty to show their numbers."""
        return ()

    def unmasked(self, images: Images) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]] | None:
        """Maps before they were masked, and the masks in [0, 1]: their product is `maps`. None without masks.

        Pictures show both, and metrics of location read these maps too (`location_instability@unmasked`).
        """
        return None

    def head(self, images: Images) -> nn.Module | None:
        """A module that takes maps of these images (n, k, h, w) to its logits: (n,) or (n, 1), or (n, categories).

        Grad-CAM on its maps is drawn beside the performer's. None where no logit follows from maps.
        """
        return None

    def builds_on(self, task: TrainingTask) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Name and options of the explainers whose trained networks `fit` loads from the cache, or trains if need be.

        A run fits them first, once. Called before `fit`.
        """
        return ()

    def baseline(self) -> Explainer | None:
        """A fitted explainer to draw contributions beside, or None."""
        return None

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n *c"] | None:
        """The explained logit (n,), or logits (n, c), when these concepts are removed; None where they cannot be."""
        return None

    def control(self) -> Control:
        """What this explainer, with its present options, is a control for.

        "floor": it sees nothing of what the network makes of an image. "ablation": a method without one of its
        components. "baseline": an ordinary network. "": no control. Boards accept floors, ablations and baselines from
        the distribution partbench alone.
        """
        return ""

    def deterministic(self) -> bool:
        """Whether this explainer, with its present options, draws no random numbers: all seeds give the same values.

        Boards accept this from the distribution partbench; explainers of others need two seeds on every task.
        """
        return False

    def explains(self, task: TrainingTask) -> tuple[str, Mapping[str, Any]] | None:
        """The trained network that the explanation is of, where it is not the performer.

        Name and options of the explainer that trains it, which may be this one. Explainers of one network name the
        same. Called after `fit`.
        """
        return None

    def compared_with(self) -> tuple[str, Mapping[str, Any]] | None:
        """Name and options of the explainer that its authors compare it with, if there is one."""
        return None
