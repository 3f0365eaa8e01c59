"""Trains the network for fauna_scenes that ships with partbench, and its binary heads; writes weights and model card.

    python scripts/train_small_vgg_scenes.py

The network's layers up to conv3 are those of small_vgg, frozen, which makes training four times as fast. A head tells
one room from scenes of none, or from these and the other rooms ("kitchen:others"): it is fc7 and fc8 of a network whose
layers up to fc6 are those of the network for all rooms, frozen. All images come from seeds of their own: neither split
of the dataset is seen, nor the images it is measured on. Runs on one thread, so that a given torch gives the same
weights again.
"""

from __future__ import annotations

import argparse

import torch
from narrow_vgg_training import (
    BATCH,
    DROPOUT,
    FROZEN,
    Maps,
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
from torch import nn
from train_small_vgg import parse
from train_small_vgg_single import Features, run

from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna_scenes.scene import SCENES_VERSION, draw_other_room_scene, draw_room_scene
from partbench.datasets.fauna_scenes.vocabulary import ROOMS
from partbench.performers.narrow_vgg import network
from partbench.performers.shipped_vgg import OWN
from partbench.performers.small_vgg import weights_file as fauna_weights

WORLD = World(tuple(ROOMS), draw_room_scene, draw_other_room_scene, nouns=("room", "room"), head_epochs=40)


def main() -> None:
    """Render, train the network and its heads, write them, measure what was written."""
    seeds = {"train_seed": 131, "held_out_seed": 133}
    options = parse(__doc__, "small_vgg_scenes", **seeds, images=5_000, epochs=6, rate=3e-3, held_out=1_200)
    images, labels = WORLD.rendered(options.train_seed, options.images)
    rooms, whole = WORLD.shows_class(labels), initial()
    first, own = place_of(FROZEN[-1], whole) + 1, place_of(OWN[0], whole)
    whole[:first].requires_grad_(False)
    with torch.no_grad():
        maps = run(whole[:first], images).half()
    train(whole[first:].to(memory_format=torch.channels_last), maps[rooms], labels[rooms], options)
    heads = trained_heads(WORLD, features(whole[first:own], maps), labels, options)
    write(half(whole) | heads, options)
    found = measured(WORLD, (images, labels), options)
    options.out.with_suffix(".md").write_text(card(found, options))
    print(f"held-out accuracy {found.hits.mean():.4f} of {len(found.hits)} images; of histograms {found.colours:.4f}")


def initial() -> nn.Sequential:
    """The network with the FROZEN layers of small_vgg and random layers above them."""
    whole = network(len(ROOMS))
    known = load(fauna_weights().read_bytes())
    whole.load_state_dict(whole.state_dict() | {k: v for k, v in known.items() if k.partition(".")[0] in FROZEN})
    return whole


@torch.no_grad()
def features(layers: nn.Sequential, maps: Maps) -> Features:
    """fc6 of images as drawn and mirrored, by the layers between the frozen ones and fc7."""
    return torch.cat([layers(some.flatten(0, 1).float()).unflatten(0, (-1, 2)) for some in maps.split(250)])


def card(found: Measured, options: argparse.Namespace) -> str:
    """The model card."""
    return f"""# small_vgg_scenes

The default performer of `fauna_scenes`: a VGG-like network that tells six kinds of rendered rooms apart, and binary
networks for the tasks `fauna_scenes/<room>` and `fauna_scenes/<room>:others`. They exist to be explained, not to be
used. Written by `scripts/train_small_vgg_scenes.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: logits of the rooms, in the order of the table; of a binary network one
  logit, the log-odds of the room, above 0 is yes.
{layers_in_words(WORLD)}
* Layers up to conv3 are those of `small_vgg`, frozen. The others were trained on {options.images:,} rooms, version
  {SCENES_VERSION} of fauna {FAUNA_VERSION}, seed {options.train_seed} (the dataset's own splits have other seeds),
  mirrored and shifted by up to one cell of the map: {options.epochs} epochs of AdamW, batches of {BATCH}, dropout
  {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers before it.
* Binary heads: the same rooms and {options.images // 4:,} scenes of none, half of them mirrored, both sides drawn
  evenly: {WORLD.head_epochs} epochs of AdamW with a cosine.
{measured_in_words(WORLD, found, options)}"""


if __name__ == "__main__":
    main()
