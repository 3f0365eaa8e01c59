"""Trains the network that ships with partbench on attribute scenes of fauna; writes its weights and its model card.

    python scripts/train_small_vgg_attributes.py

Its images come from seeds of their own: neither split of the dataset is seen, nor the images it is measured on.
Runs on one thread, so that a given torch gives the same weights again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, ATTRIBUTES_VERSION, GLOBAL, LOCAL, attributes_of
from partbench.datasets.fauna.render import FAUNA_VERSION, rendered
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.small_vgg import network

SIZE, BATCH, SHIFT, DROPOUT, OUTPUTS = 64, 16, 4, 0.1, len(ATTRIBUTE_NAMES)
FOLDER = Path(__file__).resolve().parents[1] / "benchmark/partbench/performers/weights"
Images = UInt8[Tensor, "n 3 64 64"]
Attributes = Float[Tensor, "n a"]


def main() -> None:
    """Render, train, fold, write, measure what was written."""
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    trained = train(*scenes(options.train_seed, options.images), options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in trained.state_dict().items()}, options.out)
    options.out.chmod(0o644)
    hits, truth = measure(options)
    options.out.with_suffix(".md").write_text(card(hits, truth, options))
    for name, share in zip(ATTRIBUTE_NAMES, hits.mean(0).tolist(), strict=True):
        print(f"{name:14s} held-out accuracy {share:.4f}")


def parse() -> argparse.Namespace:
    """The options; the defaults made the weights in the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-seed", type=int, default=105, help="seed of the training images")
    parser.add_argument("--held-out-seed", type=int, default=109, help="seed of the images it is measured on")
    parser.add_argument("--images", type=int, default=6_000, help="training images")
    parser.add_argument("--held-out", type=int, default=2_000, help="images it is measured on")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial weights and the order of images")
    parser.add_argument("--out", type=Path, default=FOLDER / "small_vgg_attributes.safetensors")
    return parser.parse_args()


def scenes(seed: int, count: int) -> tuple[Images, Attributes]:
    """`count` attribute scenes of a seed and their attributes."""
    images = torch.empty(count, 3, SIZE, SIZE, dtype=torch.uint8)
    samples = rendered(seed, range(count), SIZE, os.cpu_count(), scene_of=draw_attribute_scene)
    for index, sample in enumerate(samples):
        images[index] = torch.from_numpy(sample.image).permute(2, 0, 1)
    return images, torch.from_numpy(attributes_of(seed, count)).float()


def train(images: Images, attributes: Attributes, options: argparse.Namespace) -> nn.Sequential:
    """Binary cross-entropy of every attribute, AdamW, one cycle; batch norm while training, folded in the end."""
    model = network(OUTPUTS)
    unfold(model, DROPOUT)
    model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), options.rate, weight_decay=0.05)
    steps = options.epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.2)
    for epoch in range(options.epochs):
        order, hits = torch.randperm(len(images))[: steps // options.epochs * BATCH], torch.zeros(OUTPUTS)
        for rows in order.split(BATCH):
            logits = model(varied(images[rows]))
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(logits, (attributes[rows] > 0).float()).backward()
            optimiser.step()
            schedule.step()
            hits += (logits.detach() * attributes[rows] > 0).float().sum(0)
        local = float(hits[: len(LOCAL)].mean()) / len(order)
        print(f"epoch {epoch + 1} of {options.epochs}: mean accuracy of local ones in training {local:.4f}", flush=True)
    fold(model.eval())
    return model


def varied(images: Images) -> Float[Tensor, "n 3 64 64"]:
    """Half of the images mirrored; all shifted by up to 4 px, together."""
    values = images.float() / 255
    mirrored = torch.rand(len(values)) < 0.5
    values[mirrored] = values[mirrored].flip(-1)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    return F.pad(values, (SHIFT,) * 4, mode="replicate")[:, :, top : top + SIZE, left : left + SIZE]


def measure(options: argparse.Namespace) -> tuple[Float[Tensor, "n a"], Attributes]:
    """Which attributes of held-out images the written weights get right (1 or 0), and the attributes."""
    model = network(OUTPUTS).eval()
    model.load_state_dict(load_file(options.out))
    images, attributes = scenes(options.held_out_seed, options.held_out)
    with torch.no_grad():
        logits = torch.cat([model(some.float() / 255) for some in images.split(500)])
    return (logits * attributes > 0).float(), attributes


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
