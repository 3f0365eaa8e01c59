"""The explainer auto-encoder: interpretable filters learned by rebuilding the performer's features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor

from partbench import (
    Explainer,
    Explanation,
    Images,
    PartSettings,
    ReceptiveField,
    Remarked,
    TrainingTask,
    cached_weights,
    channel_contributions,
    hookimpl,
    training_identity,
    training_seconds,
)
from partbench_plugins.applicability import fitted
from partbench_plugins.autoencoder.decoder_head import DecoderHead
from partbench_plugins.autoencoder.network import Design, ExplainerNetwork, Reconstruction, Start
from partbench_plugins.autoencoder.training import (
    ExplainerTraining,
    Objective,
    finish,
    known_labels,
    reconstruction_errors,
    reconstruction_loss,
    rescale,
    train,
    watched_rows,
    with_share,
)
from partbench_plugins.part_assignment import assign_parts, part_count, part_drops
from partbench_plugins.settling import TrainingRecord

RECIPE = "4"  # raise it when the same options no longer give the same weights


class FittedAutoencoder(NamedTuple):
    """The state that `fit` sets; `parts` is None where parts are unknown or the task explains all logits."""

    task: TrainingTask
    network: ExplainerNetwork
    grid: ReceptiveField
    record: TrainingRecord
    parts: Int[Tensor, "k"] | None = None


@dataclass
class Autoencoder(Explainer):
    """Explainer auto-encoder: part filters that rebuild the performer's features; maps are those of conv-interp-2.

    Source: Zhang et al., "Unsupervised Learning of Neural Networks to Explain Neural Networks", section 3 and
    appendices. An encoder with an interpretable and an ordinary track takes the activations of the performer's target
    layer, a decoder that starts from its fully-connected layers rebuilds what it makes of them; the performer's last
    layers turn that into logits. The performer is not changed. No code of the paper is known. Maps are masked and
    normalised, scores their maxima. Contributions are gradient times activation, to first order, with the ordinary
    track held: what that track adds to the logit is in none of them. Parts are assigned from annotations, see
    `assign_parts`. The trained weights are cached and used again.

    Loss: sum_l ||x_l - x*_l||^2 / E||x*_l|| - eta log p + filter losses, the paper's over 5e4. A task of all logits
    gets neither contributions nor parts.

    eta: weight of -log p; the paper's is 3 for VGG-16 and 20 for its smaller networks. Larger values raise p and worsen
        the reconstruction; at 20 that of small networks on a few hundred images stays poor.
    rho, schedule: the gradient of the filter loss is rho (over the epoch) times as long as that of the task, as in the
        paper, with Euclidean lengths over images and cells in place of its means over images of lengths.
    gradient: of the filter loss: its "exact" derivative, or the one of the "paper", or that of the "released" code of
        interpretable CNNs (`filter_gradients`).
    position: where the mask of a filter is put on an image: at the "argmax" of its map or at the "centroid".
    height: tau of the masks, in units of 1 / n^2 for maps of n x n cells.
    mask: whether maps are masked.
    loss: whether there is a filter loss.
    start: of conv-interp-2 and conv-ordin; random as of "he", or as "published" for interpretable CNNs, N(0, 0.01^2),
        at which small networks die, or from the "performer" (ours): identity, and a copy of its top convolution. That
        rebuilds more in a short training, and filters stay closer to those of the performer.
    norm_reduce: whether the norm layer takes the "sum" of a channel over cells, as the paper's formula, or the "mean",
        as its text.
    rescale: bring each channel of both tracks to the magnitude that it has in the performer's pooled top convolution,
        so that the copied weights fit. Single task: over images of the category only.
    labels: of images, for filter loss, norm and an even draw: the category that the performer predicts (the paper uses
        no annotation of labels), or the "truth".
    batch_norm: of conv-interp-2 and conv-ordin, before their ReLU (ours); none where they start from the performer.
    mirrored: train on mirrored images too (ours); what the performer makes of them is rebuilt.
    epochs: the most epochs of training, which stops when the loss on images held out and p have settled. The paper
        gives neither this nor the next five.
    patience: epochs over which the means are taken that tell whether loss and p have settled.
    tolerance: the change between two such means, relative to their size, up to which they count as settled.
    warm_up: epochs at the beginning without masks and filter loss.
    learning_rate: of Adam, until the values have settled; then it falls to 0.
    batch_size: images of a step of Adam.
    """

    name: ClassVar[str] = "autoencoder"
    eta: Annotated[float, Ge(0)] = 4.0
    gradient: Literal["exact", "paper", "released"] = "exact"
    rho: Annotated[float, Ge(0)] = 1 / 300
    schedule: Literal["constant", "1/t"] = "1/t"
    position: Literal["argmax", "centroid"] = "argmax"
    height: Annotated[float, Gt(0)] = 8.0
    mask: bool = True
    loss: bool = True
    start: Start = "he"
    norm_reduce: Literal["sum", "mean"] = "sum"
    rescale: bool = True
    labels: Literal["predicted", "truth"] = "predicted"
    batch_norm: bool = True
    mirrored: bool = True
    epochs: Annotated[int, Ge(1)] = 200
    patience: Annotated[int, Ge(1)] = 5
    tolerance: Annotated[float, Gt(0)] = 0.02
    warm_up: Annotated[int, Ge(0)] = 0
    learning_rate: Annotated[float, Gt(0)] = 3e-3
    batch_size: Annotated[int, Ge(1)] = 16
    _fitted: FittedAutoencoder | None = field(init=False, repr=False, compare=False, default=None)

    @property
    def network(self) -> ExplainerNetwork:
        """The trained network. Raises RuntimeError before `fit`."""
        return fitted(self._fitted).network

    def fit(self, task: TrainingTask) -> None:
        """Train the network, or load its cached weights for this task, options and seed; then assign parts."""
        with torch.random.fork_rng(devices=[]):
            network = self._started(task)
            weights = cached_weights(self.name, training_identity(self, task, RECIPE), lambda: self._trained(task))
            record = TrainingRecord.taken_from(weights)
            network.load_state_dict(weights)
        finish(network)
        self._fitted = FittedAutoencoder(task, network, network.grid(task.performer), record)
        if task.target is not None:
            self._fitted = self._fitted._replace(parts=assign_parts(task, self._shown))

    def explain(self, images: Images) -> Explanation:
        """Maps, logits of the auto-encoder and, of one logit, contributions and what the parts are worth."""
        task, _, grid, _, parts = fitted(self._fitted)
        rebuilt, head = self._read(images)
        logits = head.without(rebuilt.maps, [])
        scores = rebuilt.maps.amax((2, 3))
        if task.target is None:
            return Explanation(rebuilt.maps, grid=grid, scores=scores, logits=logits, explained=self._explained(logits))
        return Explanation(
            rebuilt.maps, grid=grid, scores=scores, logits=(logit := logits[:, 0]), explained=self._explained(logit),
            contributions=channel_contributions(head, rebuilt.maps, 0), parts=parts,
            part_drops=None if parts is None else
            lambda: part_drops(lambda maps: head(maps)[:, 0], rebuilt.maps, parts, part_count(task)),
        )  # fmt: skip

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n *c"]:
        """The auto-encoder's logits with the maps of these filters set to 0, the ordinary track as it is."""
        rebuilt, head = self._read(images)
        logits = head.without(rebuilt.maps, concepts)
        return logits if fitted(self._fitted).task.target is None else logits[:, 0]

    def head(self, images: Images) -> DecoderHead:
        """From maps of these images to logits of the explained categories, the ordinary track held as it is."""
        return self._read(images)[1]

    @torch.no_grad()
    def unmasked(self, images: Images) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]] | None:
        """Maps before they are masked, and the masks in [0, 1]: their product is `maps`. None without `mask`."""
        return self.network.unmasked(images.activations("target")) if self.mask else None

    def compared_with(self) -> tuple[str, Mapping[str, Any]]:
        """The performer's own filters (section 4)."""
        return "top_conv", {}

    def curves(self) -> Mapping[str, Sequence[float]]:
        """After every epoch of the training: the loss on held-out images, without filter losses, and p."""
        return fitted(self._fitted).record.curves

    def report(self) -> dict[str, float | Remarked]:
        """interpretable_share, p in (0, 1): how much of what is decoded comes from the interpretable track.

        reconstruction_error@fc1, @fc2: unexplained share of the variance of the performer's features, over the images
        trained on, at most 1000; held_out_error@fc1, @fc2: the same over the tenth that was held out.
        training_epochs: how many were used, remarked on where their ceiling came before training had settled.
        training_seconds: how long the training took, also where an earlier run did it; left out if unknown.
        """
        task, network, _, record, _ = fitted(self._fitted)
        trained, held = watched_rows(task, known_labels(task, self.labels))
        found: dict[str, float | Remarked] = {"interpretable_share": float(network.share)}
        for name, rows in (("reconstruction_error", trained), ("held_out_error", held)):
            errors = reconstruction_errors(network, task, rows)
            found |= {f"{name}@{layer}": error for layer, error in errors.items()}
        found["training_epochs"] = Remarked(record.epochs, "" if record.settled else "training has not settled")
        seconds = training_seconds(self.name, training_identity(self, task, RECIPE))
        return found | ({} if seconds is None else {"training_seconds": seconds})

    def _objective(self, task: TrainingTask) -> Objective:
        return reconstruction_loss(task, self.mirrored)

    def _explained(self, logits: Tensor) -> Tensor | None:
        """None: the logits are a prediction of the performer's."""
        return None

    @torch.no_grad()
    def _rebuilt(self, images: Images) -> Reconstruction:
        rebuilt: Reconstruction = self.network(images.activations("target"))
        return rebuilt

    def _read(self, images: Images) -> tuple[Reconstruction, DecoderHead]:
        rebuilt, (task, network, *_) = self._rebuilt(images), fitted(self._fitted)
        return rebuilt, DecoderHead(network, rebuilt.ordinary, task)

    def _shown(self, images: Images) -> Explanation:
        return Explanation(self._rebuilt(images).maps, grid=fitted(self._fitted).grid)

    @property
    def _training(self) -> ExplainerTraining:
        return ExplainerTraining(
            self.epochs, self.learning_rate, self.batch_size, patience=self.patience, tolerance=self.tolerance,
            warm_up=self.warm_up, mirrored=self.mirrored,
        )  # fmt: skip

    def _started(self, task: TrainingTask) -> ExplainerNetwork:
        torch.manual_seed(task.random_seed(self.name))
        settings = PartSettings(
            self.gradient, "matched", self.rho, self.schedule, self.position, self.height, mask=self.mask,
            loss=self.loss,
        )  # fmt: skip
        design = Design(settings, self.start, self.norm_reduce, self.batch_norm)
        return ExplainerNetwork(task.performer, design, categories=len(task.targets), images=len(task.labels))

    def _trained(self, task: TrainingTask) -> dict[str, Tensor]:
        labels = known_labels(task, self.labels)
        network = self._started(task)
        if self.rescale:
            rescale(network, task, labels)
        record = train(network, task, labels, with_share(self._objective(task), network, self.eta), self._training)
        return network.state_dict() | record.tensors()


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Autoencoder)
