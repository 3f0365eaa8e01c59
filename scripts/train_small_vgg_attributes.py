"""Trains the network that ships with partbench on attribute scenes of fauna; writes its weights and its model card.

    python scripts/train_small_vgg_attributes.py

Its images come from seeds of their own: neither split of the dataset is seen, nor the images it is measured on.
Runs on one thread, so that a given torch gives the same weights again.
"""

from __future__ import annotations

import argparse

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from train_small_vgg import SHIFT, Images, fauna, logits, parse, train, write

from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, ATTRIBUTES_VERSION, GLOBAL, LOCAL, attributes_of
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.performers.small_vgg import network

BATCH, DROPOUT, OUTPUTS = 16, 0.1, len(ATTRIBUTE_NAMES)
Attributes = Float[Tensor, "n a"]


def main() -> None:
    """Render, train, fold, write, measure what was written."""
    seeds = {"train_seed": 105, "held_out_seed": 109}
    options = parse(__doc__, "small_vgg_attributes", **seeds, images=6_000, epochs=14, rate=2e-3)
    model, (images, attributes) = network(OUTPUTS), scenes(options.train_seed, options.images)
    write(train(model, images, attributes, loss, options, BATCH, DROPOUT), options)
    images, attributes = scenes(options.held_out_seed, options.held_out)
    hits = (logits(network(OUTPUTS), images, options) * attributes > 0).float()
    options.out.with_suffix(".md").write_text(card(hits, attributes, options))
    for name, share in zip(ATTRIBUTE_NAMES, hits.mean(0).tolist(), strict=True):
        print(f"{name:14s} held-out accuracy {share:.4f}")


def scenes(seed: int, count: int) -> tuple[Images, Attributes]:
    """`count` attribute scenes of a seed and their attributes."""
    images, _ = fauna(seed, count, scene_of=draw_attribute_scene)
    return images, torch.from_numpy(attributes_of(seed, count)).float()


def loss(logits: Float[Tensor, "n a"], attributes: Attributes) -> Float[Tensor, ""]:
    """Binary cross-entropy of every attribute."""
    return F.binary_cross_entropy_with_logits(logits, (attributes > 0).float())


def card(hits: Float[Tensor, "n a"], attributes: Attributes, options: argparse.Namespace) -> str:
    """The model card."""
    shares = zip(ATTRIBUTE_NAMES, hits.mean(0).tolist(), (attributes > 0).float().mean(0).tolist(), strict=True)
    kinds = {name: "global" if name in GLOBAL else "local" for name in ATTRIBUTE_NAMES}
    rows = [f"| {name} | {kinds[name]} | {hit:.3f} | {has:.3f} |" for name, hit, has in shares]
    parameters = sum(p.numel() for p in network(OUTPUTS).parameters())
    local, distant = hits[:, : len(LOCAL)].mean(), hits[:, len(LOCAL) :].mean()
    return f"""# small_vgg_attributes

The performer of the tasks `fauna/attribute-<name>`: the network of `small_vgg` with a logit for each attribute. It
exists to be explained, not to be used. Written by `scripts/train_small_vgg_attributes.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: log-odds of {OUTPUTS} attributes, in the order of the table.
* Layers: those of `small_vgg`, but fc8 {OUTPUTS}. {parameters:,} parameters in half precision.
* Trained on {options.images:,} attribute scenes, version {ATTRIBUTES_VERSION} of fauna {FAUNA_VERSION}, seed
  {options.train_seed} (the dataset's own splits have other seeds), mirrored and shifted by up to {SHIFT} px: the mean
  binary cross-entropy of all attributes, {options.epochs} epochs of AdamW, batches of {BATCH}, dropout {DROPOUT}, seed
  {options.seed}. Batch norm was then folded into the layers before it.
* Accuracy, as a fraction, of these weights on {len(hits):,} images of seed {options.held_out_seed}, which played no
  part in any choice: local attributes **{local:.3f}**, global ones **{distant:.3f}** in the mean. Global ones follow
  from local ones by chance (`datasets/fauna/attributes.py`), so that nobody can do better than about 0.79.

| attribute | kind | accuracy | share of images |
|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
