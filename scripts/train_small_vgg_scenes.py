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
from copy import copy

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from train_small_vgg import Images, fauna, parse
from train_small_vgg_single import Features, run
from train_small_vgg_single import train as train_binary
from train_small_vgg_species import below, colours, head

from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna_scenes.scene import (
    OTHER_LABEL,
    SCENES_VERSION,
    draw_other_room_scene,
    draw_room_scene,
)
from partbench.datasets.fauna_scenes.vocabulary import ROOMS
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.small_vgg import OWN
from partbench.performers.small_vgg import weights_file as fauna_weights
from partbench.performers.small_vgg_species import WIDTHS, network, state_of

BATCH, DROPOUT, DECAY = 32, 0.3, 0.05
FIRST, FROZEN = "conv4", ("conv1", "conv2", "conv3")  # the first layer that is trained, and those before it
HEAD_EPOCHS, HEAD_RATE = 40, 2e-3
Maps = Float[Tensor, "n v 64 16 16"]  # conv3 of n images, as drawn and mirrored, in half precision
HEADS = tuple(f"{room}{negatives}" for negatives in ("", ":others") for room in ROOMS)


def main() -> None:
    """Render, train the network and its heads, write them, measure what was written."""
    seeds = {"train_seed": 131, "held_out_seed": 133}
    options = parse(__doc__, "small_vgg_scenes", **seeds, images=5_000, epochs=6, rate=3e-3, held_out=1_200)
    images, labels = rendered(options.train_seed, options.images)
    rooms = labels != OTHER_LABEL
    whole, first = started()
    maps = run(whole[:first], images).half()
    train(whole[first:], maps[rooms], labels[rooms], options)
    state = {name: value.half().contiguous() for name, value in whole.state_dict().items()}
    save_file(state | trained_heads(features(whole, first, maps), labels, options), options.out)
    options.out.chmod(0o644)
    held_out = rendered(options.held_out_seed, options.held_out)
    hits, shares = measured(load(options.out.read_bytes()), *held_out)
    probe = colours(images[rooms], labels[rooms], *(some[held_out[1] != OTHER_LABEL] for some in held_out))
    options.out.with_suffix(".md").write_text(card(hits, held_out[1], shares, probe, options))
    print(f"held-out accuracy {hits.mean():.4f} of {len(hits)} images; of histograms {probe:.4f}")


def rendered(seed: int, count: int) -> tuple[Images, Int[Tensor, "n"]]:
    """Rooms, and after them a quarter as many scenes of none; and their labels."""
    both = (
        fauna(seed, count, scene_of=draw_room_scene),
        fauna(seed, count // 4, scene_of=draw_other_room_scene),
    )
    images, labels = zip(*both, strict=True)
    return torch.cat(images), torch.cat(labels)


def started() -> tuple[nn.Sequential, int]:
    """The network for all rooms with the frozen layers of small_vgg, and the place of the first other layer."""
    whole = network(len(ROOMS))
    first = list(dict(whole.named_children())).index(FIRST)
    known = load(fauna_weights().read_bytes())
    whole.load_state_dict(whole.state_dict() | {k: v for k, v in known.items() if k.partition(".")[0] in FROZEN})
    whole[:first].requires_grad_(False)
    return whole, first


def train(rest: nn.Sequential, maps: Maps, labels: Int[Tensor, "n"], options: argparse.Namespace) -> None:
    """AdamW, one cycle of the learning rate; batch norm while training, folded in the end."""
    unfold(rest, DROPOUT)
    rest.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(rest.parameters(), options.rate, weight_decay=DECAY)
    each = len(maps) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.epochs * each, pct_start=0.2
    )
    for epoch in range(options.epochs):
        total = 0.0
        for rows in torch.randperm(len(maps))[: each * BATCH].split(BATCH):
            error = F.cross_entropy(rest(varied(maps, rows)), labels[rows])
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            schedule.step()
            total += float(error.detach()) / each
        print(f"epoch {epoch + 1} of {options.epochs}: loss in training {total:.4f}", flush=True)
    fold(rest.eval())


@torch.no_grad()
def features(whole: nn.Sequential, first: int, maps: Maps) -> Features:
    """fc6 of images as drawn and mirrored."""
    layers = whole[first : list(dict(whole.named_children())).index(OWN[0])]
    return torch.cat([layers(some.flatten(0, 1).float()).unflatten(0, (-1, 2)) for some in maps.split(250)])


def varied(maps: Maps, rows: Int[Tensor, "b"]) -> Float[Tensor, "b 64 16 16"]:
    """Maps of some images, half of them mirrored, all shifted by up to one cell, together."""
    values = maps[rows, torch.randint(2, (len(rows),))].float()
    top, left = torch.randint(0, 3, (2,)).tolist()
    return F.pad(values, (1,) * 4, mode="replicate")[:, :, top : top + 16, left : left + 16]


def sides(name: str, labels: Int[Tensor, "n"]) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]:
    """The images of a head's room, and its negatives."""
    room, _, others = name.partition(":")
    shown = labels == tuple(ROOMS).index(room)
    return shown, ~shown if others else labels == OTHER_LABEL


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
) -> tuple[Float[Tensor, "rooms"], dict[str, tuple[float, float]]]:
    """Whether each room is told right; for each head the share of its room above 0, and of its negatives not."""
    shared, rest, shares = below(state, len(ROOMS)), head().eval(), {}
    fc6 = torch.cat([shared(some.float() / 255) for some in images.split(250)])
    for name in HEADS:
        rest.load_state_dict({key: value for key, value in state_of(state, name).items() if key.startswith(OWN)})
        logits, (shown, negative) = rest(fc6)[:, 0], sides(name, labels)
        shares[name] = float((logits[shown] > 0).float().mean()), float((logits[negative] <= 0).float().mean())
    whole = network(len(ROOMS)).eval()
    whole.load_state_dict(state_of(state))
    rooms = labels != OTHER_LABEL
    last = list(dict(whole.named_children())).index(OWN[0])
    return (whole[last:](fc6[rooms]).argmax(1) == labels[rooms]).float(), shares


def card(
    hits: Tensor, labels: Tensor, shares: dict[str, tuple[float, float]], colours: float, options: argparse.Namespace
) -> str:
    """The model card."""
    hits_of = [hits[labels[: len(hits)] == i] for i in range(len(ROOMS))]
    rows = [f"| {name} | {own.mean():.3f} | {len(own)} |" for name, own in zip(ROOMS, hits_of, strict=True)]
    binary = [f"| {name} | {(a + b) / 2:.3f} | {a:.3f} | {b:.3f} |" for name, (a, b) in shares.items()]
    parameters, own = (sum(p.numel() for p in model.parameters()) for model in (network(len(ROOMS)), head()))
    return f"""# small_vgg_scenes

The default performer of `fauna_scenes`: a VGG-like network that tells six kinds of rendered rooms apart, and binary
networks for the tasks `fauna_scenes/<room>` and `fauna_scenes/<room>:others`. They exist to be explained, not to be
used. Written by `scripts/train_small_vgg_scenes.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: logits of the rooms, in the order of the table; of a binary network one
  logit, the log-odds of the room, above 0 is yes.
* Layers: those of `small_vgg`, but fc6 {WIDTHS[0]}, fc7 {WIDTHS[1]}, fc8 {len(ROOMS)}. {parameters:,} parameters in
  half precision. All layers up to fc6 are shared by the binary networks, frozen; fc7 {WIDTHS[1]} and fc8 1 are of each,
  {own:,} parameters.
* Layers up to conv3 are those of `small_vgg`, frozen. The others were trained on {options.images:,} rooms, version
  {SCENES_VERSION} of fauna {FAUNA_VERSION}, seed {options.train_seed} (the dataset's own splits have other seeds),
  mirrored and shifted by up to one cell of the map: {options.epochs} epochs of AdamW, batches of {BATCH}, dropout
  {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers before it.
* Binary heads: the same rooms and {options.images // 4:,} scenes of none, half of them mirrored, both sides drawn
  evenly: {HEAD_EPOCHS} epochs of AdamW with a cosine.
* Accuracy, as a fraction, of these weights on {len(hits):,} images of seed {options.held_out_seed}, which played no
  part in any choice: **{hits.mean():.3f}**. A logistic regression on histograms of colours and edges of whole images:
  {colours:.3f}.

| room | accuracy | images |
|---|---|---|
{chr(10).join(rows)}

Balanced accuracy of the binary networks on these images and {options.held_out // 4:,} scenes of no room, and the shares
of both sides told right:

| task | balanced accuracy | room | negatives |
|---|---|---|---|
{chr(10).join(binary)}
"""


if __name__ == "__main__":
    main()
