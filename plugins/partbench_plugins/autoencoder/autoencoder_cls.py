"""The baseline "Explainer+cls": the auto-encoder's network, trained to classify instead of to rebuild."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from jaxtyping import Float, Int
from torch import Tensor

from partbench import TrainingTask, hookimpl
from partbench_plugins.autoencoder.autoencoder import Autoencoder
from partbench_plugins.autoencoder.network import Reconstruction
from partbench_plugins.autoencoder.training import Objective, reconstruction_loss
from partbench_plugins.interp_cnn.training import TaskLoss, classification_loss


@dataclass
class AutoencoderCls(Autoencoder):
    """Explainer auto-encoder trained on a classification loss in place of reconstruction: a baseline.

    Source: Zhang et al., "Unsupervised Learning of Neural Networks to Explain Neural Networks", appendix "Evaluating
    the reconstruction quality", "Explainer+cls": the classification loss replaces the reconstruction loss, and the
    features of the decoder are fed back to the performer. What ties it to the performer is that its decoder starts as
    a copy, and that the performer's own layers above fc2, which stay as they are, make the logits. The loss is on the
    logits of the explained categories, with the true labels of the training images. It learns from labels, not from the
    performer's features: `reconstruction_error` may exceed 1. It is a classifier of its own: its logits do not predict
    the performer's, and a single logit is classified by its sign.

    Options as of Autoencoder; `labels` is for filter loss, norm and draw here too.

    reconstruction: weight of the reconstruction loss beside the classification loss (ours); 0 as in the paper.
    task_loss: of tasks with several categories; a single one has a logistic loss.
    """

    name: ClassVar[str] = "autoencoder_cls"
    labels: Literal["predicted", "truth"] = "truth"
    reconstruction: Annotated[float, Ge(0)] = 0.0
    task_loss: TaskLoss = "softmax"

    def _objective(self, task: TrainingTask) -> Objective:
        above, truth = task.performer.segment("fc2", "logits"), task.category_of(task.labels)
        features = reconstruction_loss(task, self.mirrored)
        several, targets = len(task.targets) > 1, list(task.targets)

        def loss(rebuilt: Reconstruction, rows: Int[Tensor, "b"]) -> Float[Tensor, ""]:
            logits, labels = above(rebuilt.fc2)[:, targets], truth[rows % len(truth)].to(rebuilt.fc2.device)
            known = labels >= (0 if several else -1)
            found = classification_loss(logits[known], labels[known], self.task_loss)
            return found + self.reconstruction * features(rebuilt, rows) if self.reconstruction else found

        return loss

    def _explained(self, logits: Tensor) -> Tensor | None:
        return logits


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(AutoencoderCls)
