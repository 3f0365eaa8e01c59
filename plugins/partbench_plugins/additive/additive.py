"""The additive explainer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn

from partbench import (
    Control,
    Explainer,
    Explanation,
    Images,
    NotApplicable,
    Remarked,
    TrainingTask,
    cached_weights,
    default_from,
    hookimpl,
    training_identity,
    training_seconds,
)
from partbench.functional.statistics import best_threshold
from partbench_plugins.additive.concepts import Concepts, ConceptTrainingSet, FilterConcepts, OutputConcepts
from partbench_plugins.additive.training import AdditiveModel, AdditiveTraining, predicted, train
from partbench_plugins.additive.weight_network import WeightNetworkKind
from partbench_plugins.applicability import fitted
from partbench_plugins.interp_cnn.interp_cnn import RECIPE as OF_FILTERS
from partbench_plugins.interp_cnn.interp_cnn import InterpCnn
from partbench_plugins.settling import TrainingRecord

RECIPE = "4"  # raise it when the same options no longer give the same weights
SOURCES: dict[str, type[FilterConcepts] | type[OutputConcepts]] = {"filters": FilterConcepts, "outputs": OutputConcepts}
BETAS = {"filters": 10.0, "outputs": 0.2}
RATES: dict[WeightNetworkKind, float] = {"small": 1e-2, "resnet152": 1e-3}


class FittedAdditive(NamedTuple):
    """The state that `fit` sets."""

    task: TrainingTask
    concepts: Concepts
    model: AdditiveModel
    record: TrainingRecord
    threshold: float
    spread: float


@dataclass
class Additive(Explainer):
    """Additive explainer: a logit as a sum of contributions alpha_i y_i of concepts and a bias, alpha from a network g.

    Source: Chen et al., "Explaining Neural Networks Semantically and Quantitatively", ICCV 2019. Concepts are "filters"
    (Case 1): the network explained is an interpretable CNN, trained on the task or loaded from the cache (`interp_cnn`
    with its default options), y_i the sum of masked map i, alpha > 0. Or they are "outputs" (Case 2): the network
    explained is the performer, y_i its other logits, alpha of either sign. "auto" takes outputs where those of the
    performer are attributes of the dataset. A prior on the weights, from derivatives, spreads the sum.
    Labels are used for `threshold` only. The trained weights of g are cached and used again.

    concepts: "filters" of an interpretable CNN, "outputs" of the performer, or "auto", as above.
    beta: of the weight beta / sqrt(epoch) of the prior loss, in units of the squared logit; by default 10 for filters,
        0.2 for outputs (paper: experiments 1 and 2). `report()` gives beta / Var(logit), on which its effect depends.
    bias: b, "learned" (paper) or held at "zero", so that contributions sum to all of the predicted logit; positive
        contributions cannot add up to a negative one. Contributions may add up to far more than the logit where the
        learned bias is far below 0: `report()` gives it beside the deviation.
    subset: how many concepts to use, drawn at random with the task's seed (paper, Fig. 8); 0 for all.
    network: g. "resnet152" is the paper's, "small" has its stages with one block each, for CPUs (`weight_network`). By
        default "resnet152" if there is a GPU, else "small".
    epochs: the most epochs that g is trained; training stops when entropy and deviation have settled on images held
        out. The paper gives neither this nor the next four.
    patience: epochs over which the means are taken that tell whether entropy and deviation have settled.
    tolerance: the change between two such means, relative to their size, up to which they count as settled.
    learning_rate: of Adam; by default 0.01 for "small", 0.001 otherwise.
    batch_size: images of a step of Adam.
    """

    name: ClassVar[str] = "additive"
    concepts: Literal["auto", "filters", "outputs"] = "auto"
    beta: Annotated[float, Ge(0)] | None = None
    bias: Literal["learned", "zero"] = "learned"
    subset: Annotated[int, Ge(0)] = 0
    network: WeightNetworkKind = default_from(lambda _: "resnet152" if torch.cuda.is_available() else "small")
    epochs: Annotated[int, Ge(1)] = 300
    patience: Annotated[int, Ge(1)] = 20
    tolerance: Annotated[float, Gt(0)] = 0.02
    learning_rate: Annotated[float, Gt(0)] = default_from(lambda explainer: RATES[explainer.network])
    batch_size: Annotated[int, Ge(2)] = 64
    _fitted: FittedAdditive | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Find the concepts, then train g, or load its cached weights for this task, these options and this seed.

        Raises NotApplicable for a task of all logits: each has an explainer of its own.
        """
        if task.target is None:
            raise NotApplicable("explains one logit; name a category")
        concepts: Concepts = SOURCES[self._kind(task)](task)
        weights = cached_weights(self.name, self._identity(task), lambda: self._trained(task, concepts))
        record = TrainingRecord.taken_from(weights)
        threshold, spread = (float(weights.pop(name)) for name in ("threshold", "spread"))
        model = self._model(task, concepts)
        model.load_state_dict(weights)
        model.eval().requires_grad_(False)
        self._fitted = FittedAdditive(task, concepts, model, record, threshold, spread)

    @torch.no_grad()
    def explain(self, images: Images) -> Explanation:
        """Contributions, their sum with the bias, the logit explained, and what is known of the concepts."""
        _, concepts, model, _, threshold, _ = fitted(self._fitted)
        found = concepts.values_of(images)
        alpha, logits = model(found.features, found.values)
        return Explanation(
            scores=found.values, contributions=alpha * found.values, logits=logits, explained=found.logit,
            threshold=threshold, **concepts.located(found),
        )  # fmt: skip

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n"] | None:
        """The explained logit without these filters; None where concepts are outputs."""
        return fitted(self._fitted).concepts.without(images, concepts)

    def head(self, images: Images) -> nn.Module | None:
        """From the maps of filters to the explained logit; None where concepts are outputs."""
        return fitted(self._fitted).concepts.head(images)

    def report(self) -> dict[str, float | Remarked]:
        """held_out_deviation, held_out_entropy: relative deviation, and entropy in nats, on images held out.

        Explainers with and without prior are compared fairly at equal deviation. bias: b in units of the logit;
        bias_over_deviation: |b| over the standard deviation of the logit over training images. logit_variance: its
        square. beta_over_variance. training_epochs: how many were used, remarked on where their ceiling came before
        training had settled. training_seconds.
        """
        task, concepts, model, record, _, spread = fitted(self._fitted)
        bias, seconds = float(model.offset), training_seconds(self.name, self._identity(task))
        found: dict[str, float | Remarked] = {f"held_out_{name}": values[-1] for name, values in record.curves.items()}
        found |= {"bias": bias, "bias_over_deviation": abs(bias) / spread, "logit_variance": spread**2}
        found["beta_over_variance"] = self._beta(concepts) / spread**2
        found["training_epochs"] = Remarked(record.epochs, "" if record.settled else "training has not settled")
        return found | ({} if seconds is None else {"training_seconds": seconds})

    def curves(self) -> Mapping[str, Sequence[float]]:
        """After every epoch of the training: entropy and relative deviation on images held out."""
        return fitted(self._fitted).record.curves

    def concept_names(self) -> tuple[str, ...]:
        """Of outputs, their names; of filters none."""
        concepts = fitted(self._fitted).concepts
        return concepts.names if isinstance(concepts, OutputConcepts) else ()

    def compared_with(self) -> tuple[str, Mapping[str, Any]] | None:
        """The same without prior (section 4, "baseline")."""
        return "additive_no_prior", {}

    def builds_on(self, task: TrainingTask) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Where concepts are filters, the interpretable CNN that is explained."""
        return [(InterpCnn.name, {})] if task.target is not None and self._kind(task) == "filters" else []

    def explains(self, task: TrainingTask) -> tuple[str, Mapping[str, Any]] | None:
        """The interpretable CNN whose filters are the concepts; else the performer."""
        return next(iter(self.builds_on(task)), None)

    def baseline(self) -> Additive | None:
        """The explainer without prior for the same task, fitted; None if beta is 0."""
        task, concepts, *_ = fitted(self._fitted)
        options = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        no_prior = AdditiveNoPrior(**(options | {"beta": 0.0}))
        if not self._beta(concepts):
            return None
        no_prior.fit(task)
        return no_prior

    def _kind(self, task: TrainingTask) -> Literal["filters", "outputs"]:
        if self.concepts != "auto":
            return self.concepts
        attributes = task.attribute_names
        return "outputs" if attributes and set(task.performer.outputs) <= set(attributes) else "filters"

    def _beta(self, concepts: Concepts) -> float:
        return self.beta if self.beta is not None else BETAS["filters" if concepts.positive else "outputs"]

    def _model(self, task: TrainingTask, concepts: Concepts) -> AdditiveModel:
        return AdditiveModel(self.network, concepts.channels, concepts.count, concepts.positive).to(task.device)

    def _trained(self, task: TrainingTask, concepts: Concepts) -> dict[str, Tensor]:
        training_set: ConceptTrainingSet = concepts.training_set()
        training = AdditiveTraining(
            self.epochs, self.learning_rate, self.batch_size, patience=self.patience, tolerance=self.tolerance,
            beta=self._beta(concepts), seed=task.seed,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.random_seed(Additive.name))  # with and without prior start alike
            model = self._model(task, concepts)
            model.used[torch.randperm(concepts.count)[self.subset or concepts.count :]] = 0
            model.start(training_set, self.bias == "learned")
            record = train(model, training_set, training, task.progress)
        positive = task.positive(task.labels).numpy()
        threshold = best_threshold(predicted(model, training_set).numpy(), positive)
        extra = {"threshold": torch.tensor(threshold), "spread": training_set.logit.std()}
        return model.state_dict() | record.tensors() | extra

    def _identity(self, task: TrainingTask) -> dict[str, Any]:
        return training_identity(self, task, f"{RECIPE}.{OF_FILTERS}.{self._kind(task)}")


@dataclass
class AdditiveNoPrior(Additive):
    """Additive explainer without the prior loss (beta = 0), which may rest on few concepts: the paper's baseline.

    Source: Chen et al., "Explaining Neural Networks Semantically and Quantitatively", ICCV 2019, section 4, "baseline".
    """

    name: ClassVar[str] = "additive_no_prior"
    beta: Annotated[float, Ge(0)] | None = 0.0

    def control(self) -> Control:
        """An ablation of the additive explainer."""
        return "ablation"

    def compared_with(self) -> None:
        """It is what the additive explainer is compared with."""
        return None


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Additive)
    register(AdditiveNoPrior)
