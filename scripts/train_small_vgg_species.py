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

import torch
from jaxtyping import Float
from narrow_vgg_training import (
    BATCH,
    DROPOUT,
    FROZEN,
    SHIFT,
    Measured,
    World,
    half,
    layers_in_words,
    measured,
    measured_in_words,
    place_of,
    train,
    trained_heads,
    write,
)
from safetensors.torch import load
from torch import Tensor, nn
from train_small_vgg import parse

from partbench.datasets.fauna.other_scene import OTHER_VERSION
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna_species.scene import draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES, SPECIES_VERSION
from partbench.performers.narrow_vgg import network
from partbench.performers.shipped_vgg import OWN
from partbench.performers.small_vgg_attributes import weights_file as attributes_file

WORLD = World(SPECIES, draw_species_scene, draw_other_species_scene, nouns=("species", "bird"), head_epochs=15)


def main() -> None:
    """Render, train the network and its heads, write them, measure what was written."""
    seeds = {"train_seed": 121, "held_out_seed": 123}
    options = parse(__doc__, "small_vgg_species", **seeds, images=6_000, epochs=6, rate=2e-3, held_out=1_200)
    images, labels = WORLD.rendered(options.train_seed, options.images)
    model = initial()
    first, own = place_of(FROZEN[-1], model) + 1, place_of(OWN[0], model)
    for _ in range(2):  # the order of images in training was drawn after two more networks
        network(len(SPECIES))
    maps, birds = run(model[:first], images).half(), WORLD.shows_class(labels)
    train(model[first:], maps[birds], labels[birds], options)
    state = half(model)
    model.load_state_dict(state)
    features = torch.cat([run(model[first:own], some) for some in maps.float().unbind(1)], 1)
    write(state | trained_heads(WORLD, features, labels, options), options)
    found = measured(WORLD, (images, labels), options)
    options.out.with_suffix(".md").write_text(card(found, options))
    print(f"held-out accuracy {found.hits.mean():.4f} of {len(found.hits)} images; by colours {found.colours:.4f}")


def initial() -> nn.Sequential:
    """The network with the convolutions of small_vgg_attributes and random layers above them."""
    model = network(len(SPECIES))
    known = load(attributes_file().read_bytes())
    model.load_state_dict(model.state_dict() | {k: v.float() for k, v in known.items() if k.startswith("conv")})
    return model.eval()


@torch.no_grad()
def run(stages: nn.Sequential, images: Tensor) -> Float[Tensor, "n v ..."]:
    """What stages make of images as drawn and mirrored, or of maps (v = 1)."""
    if images.dtype != torch.uint8:
        return torch.cat([stages(some) for some in images.split(250)])[:, None]
    views = [images, images.flip(-1)]
    return torch.stack([torch.cat([stages(some.float() / 255) for some in view.split(250)]) for view in views], 1)


def card(found: Measured, options: argparse.Namespace) -> str:
    """The model card."""
    return f"""# small_vgg_species

The default performer of `fauna_species`: a VGG-like network that tells twelve species of rendered birds apart, and
binary networks for the tasks `fauna_species/<species>` and `fauna_species/<species>:others`. They exist to be
explained, not to be used. Written by `scripts/train_small_vgg_species.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: logits of the species, in the order of the table; of a binary network one
  logit, the log-odds of the species, above 0 is yes.
{layers_in_words(WORLD)}
* {", ".join(FROZEN)} are those of `small_vgg_attributes`, frozen; conv4 and conv5 started as its own.
* Trained on {options.images:,} scenes of species {SPECIES_VERSION} of fauna {FAUNA_VERSION}, seed {options.train_seed}
  (the dataset's own splits have other seeds), mirrored, and maps shifted by up to {SHIFT} cell: {options.epochs} epochs
  of AdamW, batches of {BATCH}, dropout {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers
  before it.
* Binary heads: the same scenes and {options.images // 4:,} of no bird (version {OTHER_VERSION}), half of them mirrored,
  both sides drawn evenly: {WORLD.head_epochs} epochs of AdamW with a cosine.
{measured_in_words(WORLD, found, options)}"""


if __name__ == "__main__":
    main()
