"""What the scripts that train small_vgg_species and small_vgg_scenes share: training, measuring and the model card."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from safetensors.torch import load, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F
from train_small_vgg import Images, fauna
from train_small_vgg_single import Features
from train_small_vgg_single import train as train_binary

from partbench.datasets.fauna.scene import Scene
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.narrow_vgg import WIDTHS, network
from partbench.performers.shipped_vgg import OWN, state_of

Maps = Float[Tensor, "n v f 16 16"]  # of n images, as drawn and mirrored
BATCH, DROPOUT, DECAY, HEAD_RATE = 32, 0.3, 0.05, 2e-3
SHIFT = 1  # cells of 4 px by which maps are shifted
FROZEN = ("conv1", "conv2", "conv3")


@dataclass(frozen=True)
class World:
    """A rendered dataset: its classes, its scenes, and scenes of no class, whose label is the number of classes."""

    classes: tuple[str, ...]
    draw: Callable[[int, int], Scene]
    draw_other: Callable[[int, int], Scene]
    nouns: tuple[str, str]  # what a class is, and what scenes of no class lack
    head_epochs: int

    @property
    def heads(self) -> tuple[str, ...]:
        """The binary heads: each class against scenes of none, then against these and the other classes."""
        return tuple(f"{name}{negatives}" for negatives in ("", ":others") for name in self.classes)

    def rendered(self, seed: int, count: int) -> tuple[Images, Int[Tensor, "n"]]:
        """Scenes of classes, and after them a quarter as many of none; and their labels."""
        both = fauna(seed, count, scene_of=self.draw), fauna(seed, count // 4, scene_of=self.draw_other)
        images, labels = zip(*both, strict=True)
        return torch.cat(images), torch.cat(labels)

    def shows_class(self, labels: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
        """Which images show a class."""
        return labels < len(self.classes)

    def sides(self, head: str, labels: Int[Tensor, "n"]) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]:
        """The images of a head's class, and its negatives."""
        name, _, others = head.partition(":")
        shown = labels == self.classes.index(name)
        return shown, ~shown if others else ~self.shows_class(labels)


@dataclass(frozen=True)
class Measured:
    """What the written weights do on held-out images.

    hits: whether each image of a class is told right, in the order of `labels`. shares: for each head the share of its
    class above 0, and of its negatives not. colours: accuracy of `colours`.
    """

    hits: Float[Tensor, "n"]
    labels: Int[Tensor, "n"]
    shares: dict[str, tuple[float, float]]
    colours: float


def place_of(stage: str, whole: nn.Sequential) -> int:
    """The place of a stage in the network."""
    return list(dict(whole.named_children())).index(stage)


def train(top: nn.Sequential, maps: Maps, labels: Int[Tensor, "n"], options: argparse.Namespace) -> None:
    """AdamW, one cycle of the learning rate, on maps of the frozen layers; batch norm while training, folded after."""
    unfold(top, DROPOUT)
    top.train()
    steps = options.epochs * (len(maps) // BATCH)
    optimiser = torch.optim.AdamW(top.parameters(), options.rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.2)
    for epoch in range(options.epochs):
        total = 0.0
        for rows in torch.randperm(len(maps))[: steps // options.epochs * BATCH].split(BATCH):
            error = F.cross_entropy(top(varied(maps[rows])), labels[rows])
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            schedule.step()
            total += float(error.detach()) * len(rows)
        print(f"epoch {epoch + 1} of {options.epochs}: loss in training {total / len(maps):.4f}", flush=True)
    fold(top.eval())


def varied(maps: Maps) -> Float[Tensor, "n f 16 16"]:
    """Half of the images mirrored; all shifted by up to SHIFT cells, together."""
    chosen = maps[torch.arange(len(maps)), torch.randint(2, (len(maps),))].float()
    top, left = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    side = chosen.shape[-1]
    return F.pad(chosen, (SHIFT,) * 4, mode="replicate")[:, :, top : top + side, left : left + side]


def head() -> nn.Sequential:
    """fc7 and fc8, with random weights, named as in the network."""
    layers, model = dict(network(1).named_children()), nn.Sequential()
    for name in OWN:
        model.add_module(name, layers[name])
    return model


def trained_heads(
    world: World, features: Features, labels: Int[Tensor, "n"], options: argparse.Namespace
) -> dict[str, Tensor]:
    """The parameters of all heads in half precision, named as in the file."""
    options = copy(options)
    options.epochs, options.rate = world.head_epochs, HEAD_RATE
    state = {}
    for name in world.heads:
        model = train_binary(features, *world.sides(name, labels), options, head)
        state |= {f"heads/{name}/{key}": value.half().contiguous() for key, value in model.state_dict().items()}
    return state


def half(model: nn.Sequential) -> dict[str, Tensor]:
    """The parameters of a network in half precision."""
    return {name: value.half().contiguous() for name, value in model.state_dict().items()}


def write(state: dict[str, Tensor], options: argparse.Namespace) -> None:
    """The file of weights."""
    save_file(state, options.out)
    options.out.chmod(0o644)


@torch.no_grad()
def measured(world: World, seen: tuple[Images, Tensor], options: argparse.Namespace) -> Measured:
    """What the written weights do on held-out images; `seen` are the training images, which `colours` is fitted to."""
    state = load(options.out.read_bytes())
    images, labels = world.rendered(options.held_out_seed, options.held_out)
    whole, rest, shares = network(len(world.classes)).eval(), head().eval(), {}
    whole.load_state_dict(state_of(state))
    own = place_of(OWN[0], whole)
    shared = whole[:own]
    fc6 = torch.cat([shared(some.float() / 255) for some in images.split(250)])
    for name in world.heads:
        rest.load_state_dict({key: value for key, value in state_of(state, name).items() if key.startswith(OWN)})
        logits, (shown, negative) = rest(fc6)[:, 0], world.sides(name, labels)
        shares[name] = float((logits[shown] > 0).float().mean()), float((logits[negative] <= 0).float().mean())
    told, trained = world.shows_class(labels), world.shows_class(seen[1])
    hits = (whole[own:](fc6[told]).argmax(1) == labels[told]).float()
    probe = colours((seen[0][trained], seen[1][trained]), (images[told], labels[told]))
    return Measured(hits, labels[told], shares, probe)


def colours(known: tuple[Images, Tensor], asked: tuple[Images, Tensor]) -> float:
    """Accuracy of a logistic regression on histograms of colours and of edges: what can be told without looking at
    parts."""
    scale = StandardScaler()
    fitted = scale.fit_transform(np.stack([histograms(image) for image in known[0][:3000]]))
    model = LogisticRegression(C=0.1, max_iter=500).fit(fitted, known[1][:3000])
    found = scale.transform(np.stack([histograms(image) for image in asked[0]]))
    return float(model.score(found, asked[1]))


def histograms(image: Tensor) -> Float[ndarray, "v"]:
    """Roots of the counts of colours, of hue by saturation, and of edges by direction, of a whole image."""
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    colour = np.histogramdd((pixels // 64).reshape(-1, 3), bins=(4, 4, 4), range=((0, 4),) * 3)[0].ravel()
    hue, saturation, _ = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))
    hues = np.histogram2d(hue.ravel(), saturation.ravel(), bins=(12, 3), range=((0, 180), (0, 256)))[0].ravel()
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    turn, strength = np.arctan2(down, across) % np.pi, np.hypot(across, down)
    edges = np.histogram(turn.ravel(), 8, range=(0, np.pi), weights=strength.ravel())[0]
    return np.sqrt(np.concatenate((colour, hues, edges)))


def layers_in_words(world: World) -> str:
    """The line of a model card on the layers."""
    count = len(world.classes)
    all_, own = (sum(p.numel() for p in model.parameters()) for model in (network(count), head()))
    return f"""\
* Layers: those of `small_vgg`, but fc6 {WIDTHS[0]}, fc7 {WIDTHS[1]}, fc8 {count}. {all_:,} parameters in
  half precision. All layers up to fc6 are shared by the binary networks, frozen; fc7 {WIDTHS[1]} and fc8 1 are of each,
  {own:,} parameters."""


def measured_in_words(world: World, found: Measured, options: argparse.Namespace) -> str:
    """The end of a model card: how well the networks do."""
    told = [found.hits[found.labels == i] for i in range(len(world.classes))]
    rows = [f"| {name} | {own.mean():.3f} | {len(own)} |" for name, own in zip(world.classes, told, strict=True)]
    binary = [f"| {name} | {(a + b) / 2:.3f} | {a:.3f} | {b:.3f} |" for name, (a, b) in found.shares.items()]
    (noun, lacking), hits, others = world.nouns, found.hits, options.held_out // 4
    return f"""\
* Accuracy, as a fraction, of these weights on {len(hits):,} images of seed {options.held_out_seed}, which played no
  part in any choice: **{hits.mean():.3f}**. A logistic regression on histograms of colours and edges of whole images:
  {found.colours:.3f}.

| {noun} | accuracy | images |
|---|---|---|
{chr(10).join(rows)}

Balanced accuracy of the binary networks on these images and {others:,} scenes of no {lacking}, and the shares
of both sides told right:

| task | balanced accuracy | {noun} | negatives |
|---|---|---|---|
{chr(10).join(binary)}
"""
