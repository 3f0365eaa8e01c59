"""Compare what two libraries make of one method, on one network, and write the table of docs/bridges.md.

    python scripts/bridges.py

Needs Captum, pytorch-grad-cam and zennit: pip install 'partbench[captum,grad-cam,zennit]'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from tabulate import tabulate
from torch import Tensor

from partbench import ExcitationBP, Explainer, Images, Task, grad_cam, open_task
from partbench_plugins.bridges.captum import Captum
from partbench_plugins.bridges.grad_cam import GradCam
from partbench_plugins.bridges.zennit import Zennit

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bridges.md"
TASK, IMAGES = "fauna/multi:bird", 8
SAME = 1e-4  # of the largest value of a map: differences below are those of rounding
Maps = Float[Tensor, "n h w"]


class Comparison(NamedTuple):
    """One method, computed twice. `difference` is the largest, of maps that are scaled to [0, 1] each."""

    method: str
    one: str
    other: str
    difference: float
    correlation: float  # the smallest over the images


def comparisons(task: Task, images: Images) -> list[Comparison]:
    """All methods that two of the libraries, or one of them and partbench, compute."""
    target, layer = task.target, "target"
    segment = task.performer.segment(layer, "logits")
    x = images.activations(layer)
    own_cam = grad_cam(segment, x, target)
    made = by(task, images)
    epsilon = {"epsilon": 1e-9}  # Captum's
    paper = {"zero_params": ["bias"]}  # biases get no share, as in the paper
    return [
        compared("Saliency", ("Captum", made(Captum(method="Saliency"))), ("autograd", gradients(task, images))),
        compared(
            "Grad-CAM", ("Captum", made(Captum(method="LayerGradCam", layer=layer, sign="positive"))),
            ("partbench", own_cam),
        ),
        compared("Grad-CAM", ("pytorch-grad-cam", made(GradCam(layer=layer))), ("partbench", own_cam)),
        compared(
            "Guided backprop", ("Captum", made(Captum(method="GuidedBackprop"))),
            ("zennit", made(Zennit(composite="GuidedBackprop", sign="absolute"))),
        ),
        compared(
            "LRP, epsilon rule", ("Captum", made(Captum(method="LRP", sign="positive"))),
            ("zennit", made(Zennit(composite="Epsilon", parameters=epsilon))),
        ),
        compared(
            "Excitation Backprop", ("zennit", made(Zennit("ExcitationBackprop", layer=layer, parameters=paper))),
            ("partbench", ExcitationBP([segment]).maps(x, [target])[:, 0]),
        ),
    ]  # fmt: skip


def by(task: Task, images: Images) -> Callable[[Explainer], Maps]:
    """A function that gives the maps of an explainer."""

    def made(explainer: Explainer) -> Maps:
        explainer.fit(task.training)
        return explainer.explain(images).maps[:, 0]

    return made


def gradients(task: Task, images: Images) -> Maps:
    """The sum over colours of the absolute gradient of the explained logit."""
    pixels = images.pixels.clone().requires_grad_()
    logit = task.performer.segment("images", "logits")(pixels)[:, task.target]
    (gradient,) = torch.autograd.grad(logit.sum(), pixels)
    return gradient.abs().sum(1)


def compared(method: str, one: tuple[str, Maps], other: tuple[str, Maps]) -> Comparison:
    """Two computations of a method, side by side."""
    a, b = scaled(one[1]), scaled(other[1])
    correlations = [correlation(x, y) for x, y in zip(a, b, strict=True)]
    return Comparison(method, one[0], other[0], float((a - b).abs().max()), min(correlations))


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's, over pixels or cells."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def scaled(maps: Maps) -> Maps:
    """Each map less its minimum, as a share of the maximum."""
    maps = (maps - maps.amin((1, 2), keepdim=True)).double()
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12)


def table(found: Sequence[Comparison]) -> str:
    """A Markdown table."""
    rows = [
        (
            c.method,
            c.one,
            c.other,
            f"< {SAME:g}" if c.difference < SAME else f"{c.difference:.2f}",
            f"{c.correlation:.3f}",
        )
        for c in found
    ]
    return tabulate(rows, ["method", "of", "and", "largest difference", "least correlation"], tablefmt="pipe",
                    disable_numparse=True)  # fmt: skip


def images_of(task: Task) -> Images:
    """Test images of the category, mirrored: their activations are in no cache, so that no split is read."""
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()[:IMAGES].tolist()
    images = task.batch("test", rows).images
    return images.with_pixels(images.pixels.flip(-1))


def written(page: str, made: str) -> str:
    """The page with this table."""
    return re.sub(r"(<!-- comparisons -->\n).*?(<!-- /comparisons -->)", rf"\g<1>{made}\n\g<2>", page, flags=re.S)


if __name__ == "__main__":
    opened = open_task(TASK)
    PAGE.write_text(written(PAGE.read_text(), table(comparisons(opened, images_of(opened)))))
