"""Trains the network for fauna_species that ships with partbench, and its binary heads; writes weights and model card.

    python scripts/train_small_vgg_species.py

A head tells one species from scenes of no bird, or from these and the other species ("spotted_jay:others"): it is fc7
and fc8 of a network whose layers up to fc6 are those of the network for all species, frozen. All images come from seeds
of their own: neither split of the dataset is seen, nor the images it is measured on. Runs on one thread, so that a
given torch gives the same weights again.
"""

from __future__ import annotations

import argparse
from copy import copy

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F
from train_small_vgg import SHIFT, Images, fauna, parse, train
from train_small_vgg_single import Features, run
from train_small_vgg_single import train as train_binary

from partbench.datasets.fauna.other_scene import OTHER_VERSION
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna_species.scene import draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES, SPECIES_VERSION
from partbench.performers.small_vgg import OWN
from partbench.performers.small_vgg_species import WIDTHS, network, state_of

BATCH, DROPOUT = 32, 0.3
HEAD_EPOCHS, HEAD_RATE = 40, 2e-3
HEADS = tuple(f"{species}{negatives}" for negatives in ("", ":others") for species in SPECIES)
NO_BIRD = len(SPECIES)  # label of scenes of no bird


def main() -> None:
    """Render, train the network and its heads, write them, measure what was written."""
    seeds = {"train_seed": 121, "held_out_seed": 123}
    options = parse(__doc__, "small_vgg_species", **seeds, images=6_000, epochs=10, rate=3e-3)
    images, labels = rendered(options.train_seed, options.images)
    birds = labels < NO_BIRD
    model = train(network(), images[birds], labels[birds], F.cross_entropy, options, BATCH, DROPOUT)
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, options.out)
    state |= trained_heads(run(below(state), images), labels, options)
    save_file(state, options.out)
    options.out.chmod(0o644)
    held_out = rendered(options.held_out_seed, options.held_out)
    written = load(options.out.read_bytes())
    hits, shares = measured(written, *held_out)
    options.out.with_suffix(".md").write_text(
        card(hits, held_out[1], shares, colours(images, labels, *held_out), options)
    )
    print(f"held-out accuracy {hits.mean():.4f} of {len(hits)} images")


def rendered(seed: int, count: int) -> tuple[Images, Int[Tensor, "n"]]:
    """Birds, and after them a quarter as many scenes of none; and their labels."""
    both = (
        fauna(seed, count, scene_of=draw_species_scene),
        fauna(seed, count // 4, scene_of=draw_other_species_scene),
    )
    images, labels = zip(*both, strict=True)
    return torch.cat(images), torch.cat(labels)


def below(state: dict[str, Tensor], outputs: int = len(SPECIES)) -> nn.Sequential:
    """The shared layers, up to fc6, of written weights."""
    whole = network(outputs).eval().requires_grad_(False)
    whole.load_state_dict(state_of(state))
    return whole[: list(dict(whole.named_children())).index(OWN[0])]


def head() -> nn.Sequential:
    """fc7 and fc8, with random weights, named as in the network."""
    layers, model = dict(network(1).named_children()), nn.Sequential()
    for name in OWN:
        model.add_module(name, layers[name])
    return model


def sides(name: str, labels: Int[Tensor, "n"]) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]:
    """The images of a head's species, and its negatives."""
    species, _, others = name.partition(":")
    shown = labels == SPECIES.index(species)
    return shown, ~shown if others else labels == NO_BIRD


def trained_heads(features: Features, labels: Int[Tensor, "n"], options: argparse.Namespace) -> dict[str, Tensor]:
    """The parameters of all heads in half precision, named as in the file."""
    options = copy(options)
    options.epochs, options.rate = HEAD_EPOCHS, HEAD_RATE
    state = {}
    for name in HEADS:
        model = train_binary(features, *sides(name, labels), options, head)
        state |= {f"heads/{name}/{key}": value.half().contiguous() for key, value in model.state_dict().items()}
    return state


@torch.no_grad()
def measured(
    state: dict[str, Tensor], images: Images, labels: Int[Tensor, "n"]
) -> tuple[Float[Tensor, "birds"], dict[str, tuple[float, float]]]:
    """Whether each bird is told right; for each head the share of its species above 0, and of its negatives not."""
    features, shares = run(below(state), images)[:, 0], {}
    rest = head().eval()
    for name in HEADS:
        own = {key: value for key, value in state_of(state, name).items() if key.startswith(OWN)}
        rest.load_state_dict(own)
        logits, (shown, negative) = rest(features)[:, 0], sides(name, labels)
        shares[name] = float((logits[shown] > 0).float().mean()), float((logits[negative] <= 0).float().mean())
    whole = network().eval()
    whole.load_state_dict(state_of(state))
    logits = torch.cat([whole(some.float() / 255) for some in images[labels < NO_BIRD].split(500)])
    return (logits.argmax(1) == labels[labels < NO_BIRD]).float(), shares


def colours(train: Images, train_labels: Tensor, test: Images, labels: Tensor) -> float:
    """Accuracy of a logistic regression on histograms of colours and of edges: what can be told without looking at
    parts."""
    known, asked = train_labels < NO_BIRD, labels < NO_BIRD
    scale = StandardScaler()
    fitted = scale.fit_transform(np.stack([histograms(image) for image in train[known][:3000]]))
    model = LogisticRegression(C=0.1, max_iter=500).fit(fitted, train_labels[known][:3000])
    found = scale.transform(np.stack([histograms(image) for image in test[asked]]))
    return float(model.score(found, labels[asked]))


def histograms(image: Tensor) -> Float[np.ndarray, "v"]:
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


def card(
    hits: Tensor, labels: Tensor, shares: dict[str, tuple[float, float]], colours: float, options: argparse.Namespace
) -> str:
    """The model card."""
    hits_of = [hits[labels[: len(hits)] == i] for i in range(len(SPECIES))]
    rows = [f"| {name} | {own.mean():.3f} | {len(own)} |" for name, own in zip(SPECIES, hits_of, strict=True)]
    binary = [f"| {name} | {(a + b) / 2:.3f} | {a:.3f} | {b:.3f} |" for name, (a, b) in shares.items()]
    parameters, own = (sum(p.numel() for p in model.parameters()) for model in (network(), head()))
    return f"""# small_vgg_species

The default performer of `fauna_species`: a VGG-like network that tells twelve species of rendered birds apart, and
binary networks for the tasks `fauna_species/<species>` and `fauna_species/<species>:others`. They exist to be
explained, not to be used. Written by `scripts/train_small_vgg_species.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: logits of the species, in the order of the table; of a binary network one
  logit, the log-odds of the species, above 0 is yes.
* Layers: those of `small_vgg`, but fc6 {WIDTHS[0]}, fc7 {WIDTHS[1]}, fc8 {len(SPECIES)}. {parameters:,} parameters in
  half precision. All layers up to fc6 are shared by the binary networks, frozen; fc7 {WIDTHS[1]} and fc8 1 are of each,
  {own:,} parameters.
* Trained on {options.images:,} scenes of species {SPECIES_VERSION} of fauna {FAUNA_VERSION}, seed {options.train_seed}
  (the dataset's own splits have other seeds), mirrored and shifted by up to {SHIFT} px: {options.epochs} epochs of
  AdamW, batches of {BATCH}, dropout {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers before
  it.
* Binary heads: the same scenes and {options.images // 4:,} of no bird (version {OTHER_VERSION}), half of them mirrored,
  both sides drawn evenly: {HEAD_EPOCHS} epochs of AdamW with a cosine.
* Accuracy, as a fraction, of these weights on {len(hits):,} images of seed {options.held_out_seed}, which played no
  part in any choice: **{hits.mean():.3f}**. A logistic regression on histograms of colours and edges of whole images:
  {colours:.3f}.

| species | accuracy | images |
|---|---|---|
{chr(10).join(rows)}

Balanced accuracy of the binary networks on these images and {options.held_out // 4:,} scenes of no bird, and the shares
of both sides told right:

| task | balanced accuracy | species | negatives |
|---|---|---|---|
{chr(10).join(binary)}
"""


if __name__ == "__main__":
    main()
