"""An explainer in one file: saliency, the gradient of the explained logit with respect to the image."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from partbench import Explainer, Explanation, Images, NotApplicable, TrainingTask, hookimpl


@dataclass
class Saliency(Explainer):
    """One map per image: the absolute gradient of the explained logit, averaged over `cell` x `cell` pixels.

    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", 2014, section 3.
    """

    name: ClassVar[str] = "saliency"
    cell: int = 4

    def fit(self, task: TrainingTask) -> None:
        if task.target is None:
            raise NotApplicable("saliency explains one logit; this task explains all")
        self._network = task.performer.segment("images", "logits")
        self._target, self._device = task.target, task.device

    def explain(self, images: Images) -> Explanation:
        pixels = images.pixels.to(self._device).requires_grad_()
        logit = self._network(pixels)[:, self._target]
        (gradient,) = torch.autograd.grad(logit.sum(), pixels)
        maps = torch.nn.functional.avg_pool2d(gradient.abs().amax(1, keepdim=True), self.cell)
        return Explanation(maps, scores=logit.detach()[:, None])


@hookimpl
def register_explainers(register):
    register(Saliency)
