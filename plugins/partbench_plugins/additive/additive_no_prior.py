"""The additive explainer without prior weights: a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from partbench import hookimpl
from partbench_plugins.additive.additive import Additive


@dataclass
class AdditiveNoPrior(Additive):
    """Additive explainer without the prior loss (beta = 0), which may rest on few concepts: the paper's baseline.

    Source: Chen et al., "Explaining Neural Networks Semantically and Quantitatively", ICCV 2019, section 4, "baseline".
    """

    name: ClassVar[str] = "additive_no_prior"
    beta: float | None = 0.0


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(AdditiveNoPrior)
