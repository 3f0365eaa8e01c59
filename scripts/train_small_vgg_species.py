"""Trains the network for fauna_species that ships with partbench, and its binary heads; writes weights and model card.

    python scripts/train_small_vgg_species.py

Convolutions start as those of small_vgg_attributes, which tells what animals wear; the first three stay as they are. A
head tells one species from scenes of no bird, or from these and the other species ("spotted_jay:others"): it is fc7 and
fc8 of a network whose layers up to fc6 are those of the network for all species, frozen. All images come from seeds of
their own: neither split of the dataset is seen, nor the images it is measured on. Runs on one thread, so that a given
torch gives the same weights again.
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
from train_small_vgg import Images, fauna, parse
from train_small_vgg_single import Features
from train_small_vgg_single import train as train_binary

from partbench.datasets.fauna.other_scene import OTHER_VERSION
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna_species.scene import draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES, SPECIES_VERSION
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.small_vgg import OWN
from partbench.performers.small_vgg_attributes import weights_file as attributes_file
from partbench.performers.small_vgg_species import WIDTHS, network, state_of

Maps = Float[Tensor, "n v f 16 16"]  # of n images, as drawn and mirrored
BATCH, DROPOUT, DECAY = 32, 0.3, 0.05
SHIFT = 1  # cells of 4 px by which maps are shifted
FROZEN = ("conv1", "conv2", "conv3")
HEAD_EPOCHS, HEAD_RATE = 15, 2e-3
HEADS = tuple(f"{species}{negatives}" for negatives in ("", ":others") for species in SPECIES)
NO_BIRD = len(SPECIES)  # label of scenes of no bird


def main() -> None:
    """Render, train the network and its heads, write them, measure what was written."""
    seeds = {"train_seed": 121, "held_out_seed": 123}
    options = parse(__doc__, "small_vgg_species", **seeds, images=6_000, epochs=6, rate=2e-3, held_out=1_200)
    images, labels = rendered(options.train_seed, options.images)
    model = initial()
    maps, birds = run(model[: above()], images).half(), labels < NO_BIRD
    train(model, maps[birds], labels[birds], options)
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    features = torch.cat([run(model[above() : to_heads()], some) for some in maps.float().unbind(1)], 1)
    state |= trained_heads(features, labels, options)
    save_file(state, options.out)
    options.out.chmod(0o644)
    held_out = rendered(options.held_out_seed, options.held_out)
    hits, shares = measured(load(options.out.read_bytes()), *held_out)
    told = colours(images, labels, *held_out)
    options.out.with_suffix(".md").write_text(card(hits, held_out[1], shares, told, options))
    print(f"held-out accuracy {hits.mean():.4f} of {len(hits)} images; by colours {told:.4f}")


def initial() -> nn.Sequential:
    """The network with the convolutions of small_vgg_attributes and random layers above them."""
    model = network()
    known = load(attributes_file().read_bytes())
    model.load_state_dict(model.state_dict() | {k: v.float() for k, v in known.items() if k.startswith("conv")})
    return model.eval()


def above() -> int:
    """The place of the first stage after the frozen ones."""
    return list(dict(network().named_children())).index(FROZEN[-1]) + 1


def to_heads() -> int:
    """The place of the first stage that each binary network has of its own."""
    return list(dict(network().named_children())).index(OWN[0])


def train(model: nn.Sequential, maps: Maps, labels: Int[Tensor, "n"], options: argparse.Namespace) -> None:
    """AdamW, one cycle of the learning rate, on maps of the frozen layers; batch norm while training, folded after."""
    top = model[above() :]
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


@torch.no_grad()
def run(stages: nn.Sequential, images: Tensor) -> Float[Tensor, "n v ..."]:
    """What stages make of images as drawn and mirrored, or of maps (v = 1)."""
    if images.dtype != torch.uint8:
        return torch.cat([stages(some) for some in images.split(250)])[:, None]
    views = [images, images.flip(-1)]
    return torch.stack([torch.cat([stages(some.float() / 255) for some in view.split(250)]) for view in views], 1)


def rendered(seed: int, count: int) -> tuple[Images, Int[Tensor, "n"]]:
    """Birds, and after them a quarter as many scenes of none; and their labels."""
    both = (
        fauna(seed, count, scene_of=draw_species_scene),
        fauna(seed, count // 4, scene_of=draw_other_species_scene),
    )
    images, labels = zip(*both, strict=True)
    return torch.cat(images), torch.cat(labels)


def below(state: dict[str, Tensor], outputs: int = len(SPECIES)) -> nn.Sequential:
    """The shared layers, up to fc6, of written weights of a network with so many outputs."""
    whole = network(outputs).eval().requires_grad_(False)
    whole.load_state_dict(state_of(state))
    return whole[: to_heads()]


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
    whole = network().eval()
    whole.load_state_dict(state_of(state))
    pixels, shares, rest = images.float() / 255, {}, head().eval()
    features = run(below(state), pixels)[:, 0]
    for name in HEADS:
        own = {key: value for key, value in state_of(state, name).items() if key.startswith(OWN)}
        rest.load_state_dict(own)
        logits, (shown, negative) = rest(features)[:, 0], sides(name, labels)
        shares[name] = float((logits[shown] > 0).float().mean()), float((logits[negative] <= 0).float().mean())
    birds = labels < NO_BIRD
    return (whole[to_heads() :](features[birds]).argmax(1) == labels[birds]).float(), shares


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
* {", ".join(FROZEN)} are those of `small_vgg_attributes`, frozen; conv4 and conv5 started as its own.
* Trained on {options.images:,} scenes of species {SPECIES_VERSION} of fauna {FAUNA_VERSION}, seed {options.train_seed}
  (the dataset's own splits have other seeds), mirrored, and maps shifted by up to {SHIFT} cell: {options.epochs} epochs
  of AdamW, batches of {BATCH}, dropout {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers
  before it.
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
