"""Trains the network that ships with partbench on rendered fauna; writes its weights and its model card.

    python scripts/train_small_vgg.py

Its images come from seeds of their own: neither split of the dataset is seen, nor the images it is measured on.
Runs on one thread, so that a given torch gives the same weights again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from partbench.datasets.fauna.render import FAUNA_VERSION, rendered
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.small_vgg import OUTPUTS, network

SIZE, BATCH, SHIFT, DROPOUT = 64, 64, 4, 0.3
WEIGHTS = Path(__file__).resolve().parents[1] / "benchmark/partbench/performers/weights"
Images = UInt8[Tensor, "n 3 64 64"]


def main() -> None:
    """Render, train, fold, write, measure what was written."""
    options = parse(__doc__, "small_vgg", train_seed=101, held_out_seed=103, images=12_000, epochs=9, rate=3e-3)
    model = network()
    write(train(model, *fauna(options.train_seed, options.images), F.cross_entropy, options, BATCH, DROPOUT), options)
    images, labels = fauna(options.held_out_seed, options.held_out)
    hits = (logits(network(), images, options).argmax(1) == labels).float()
    options.out.with_suffix(".md").write_text(card(hits, labels, options))
    print(f"held-out accuracy {hits.mean():.4f} of {len(hits)} images")


def parse(
    text: str, name: str, *, train_seed: int, held_out_seed: int, images: int, epochs: int, rate: float,
    held_out: int = 2_000,
) -> argparse.Namespace:  # fmt: skip
    """The options; the defaults made the weights in the package. Seeds torch, for results that come out again."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--train-seed", type=int, default=train_seed, help="seed of the training images")
    parser.add_argument("--held-out-seed", type=int, default=held_out_seed, help="seed of the images it is measured on")
    parser.add_argument("--images", type=int, default=images, help="training images")
    parser.add_argument("--held-out", type=int, default=held_out, help="images it is measured on")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial weights and the order of images")
    parser.add_argument("--out", type=Path, default=WEIGHTS / f"{name}.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    return options


def fauna(seed: int, count: int, **options: Any) -> tuple[Images, Int[Tensor, "n"]]:
    """`count` images of a seed and their labels; `options` are those of `render`."""
    images, labels = torch.empty(count, 3, SIZE, SIZE, dtype=torch.uint8), torch.empty(count, dtype=torch.long)
    for index, sample in enumerate(rendered(seed, range(count), SIZE, os.cpu_count(), **options)):
        images[index] = torch.from_numpy(sample.image).permute(2, 0, 1)
        labels[index] = sample.label
    return images, labels


def train(
    model: nn.Sequential, images: Images, truth: Tensor, loss: Callable[[Tensor, Tensor], Tensor],
    options: argparse.Namespace, batch: int, dropout: float,
) -> nn.Sequential:  # fmt: skip
    """AdamW, one cycle of the learning rate; batch norm while training, folded in the end."""
    unfold(model, dropout)
    model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), options.rate, weight_decay=0.05)
    steps = options.epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.2)
    for epoch in range(options.epochs):
        total = 0.0
        for rows in torch.randperm(len(images))[: steps // options.epochs * batch].split(batch):
            error = loss(model(varied(images[rows])), truth[rows])
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            schedule.step()
            total += float(error.detach()) * len(rows)
        print(f"epoch {epoch + 1} of {options.epochs}: loss in training {total / len(images):.4f}", flush=True)
    fold(model.eval())
    return model


def varied(images: Images) -> Float[Tensor, "n 3 64 64"]:
    """Half of the images mirrored; all shifted by up to 4 px, together."""
    values = images.float() / 255
    mirrored = torch.rand(len(values)) < 0.5
    values[mirrored] = values[mirrored].flip(-1)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    return F.pad(values, (SHIFT,) * 4, mode="replicate")[:, :, top : top + SIZE, left : left + SIZE]


def write(model: nn.Sequential, options: argparse.Namespace) -> None:
    """The weights in half precision."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in model.state_dict().items()}, options.out)
    options.out.chmod(0o644)


@torch.no_grad()
def logits(model: nn.Sequential, images: Images, options: argparse.Namespace) -> Float[Tensor, "n o"]:
    """What the written weights say of images."""
    model.eval().load_state_dict(load_file(options.out))
    return torch.cat([model(some.float() / 255) for some in images.split(500)])


def card(hits: Float[Tensor, "n"], labels: Int[Tensor, "n"], options: argparse.Namespace) -> str:
    """The model card."""
    rows = [
        f"| {name} | {hits[labels == i].mean():.3f} | {int((labels == i).sum())} |" for i, name in enumerate(OUTPUTS)
    ]
    parameters = sum(p.numel() for p in network().parameters())
    return f"""# small_vgg

The default performer of `fauna`: a VGG-like network that tells six kinds of rendered animals apart. It exists to be
explained, not to be used. Written by `scripts/train_small_vgg.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Outputs: logits of {", ".join(OUTPUTS)}.
* Layers: conv1 5x5x16, pool1, conv2 3x3x48, pool2, conv3 3x3x64, conv4 3x3x64, conv5 3x3x48, pool5, fc6 256, fc7 128,
  fc8 {len(OUTPUTS)}; ReLU after each but the last; max-pools 2x2. {parameters:,} parameters in half precision.
* Trained on {options.images:,} images of fauna {FAUNA_VERSION}, seed {options.train_seed} (the dataset's own splits
  have other seeds), mirrored and shifted by up to {SHIFT} px: {options.epochs} epochs of AdamW, batches of {BATCH},
  dropout {DROPOUT}, seed {options.seed}. Batch norm was then folded into the layers before it.
* Accuracy, as a fraction, of these weights on {len(hits):,} images of seed {options.held_out_seed}, which played no
  part in any choice: **{hits.mean():.3f}**.

| category | accuracy | images |
|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
