"""Trains the binary heads of the network that ships with partbench; writes their weights and their model card.

    python scripts/train_small_vgg_single.py

A head tells one category of fauna from scenes of no animal, or from these and the other categories ("bird:others"): it
is fc7 and fc8 of a network whose layers up to fc6 are those of small_vgg, frozen. Its images come from seeds of their
own: neither split of the dataset is seen, nor the images it is measured on. Runs on one thread, so that a given torch
gives the same weights again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from train_small_vgg import Images, fauna, parse

from partbench.datasets.fauna.other_scene import OTHER_LABEL, OTHER_VERSION, draw_other_scene
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.shipped_vgg import OWN
from partbench.performers.small_vgg import OUTPUTS, network, weights_file

BATCH, DROPOUT, DECAY = 128, 0.3, 0.05
Features = Float[Tensor, "n v 256"]  # of n images, as drawn and mirrored


def main() -> None:
    """Render, run the shared layers, train and write twelve heads, measure what was written."""
    seeds = {"train_seed": 115, "held_out_seed": 117}
    options = parse(__doc__, "small_vgg_single", **seeds, images=4_800, epochs=30, rate=2e-3, held_out=1_200)
    shared = layers_below()
    features, labels = both(shared, options.train_seed, options.images, options.images // 2)
    names = [f"{category}{negatives}" for negatives in ("", ":others") for category in OUTPUTS]
    started = time.perf_counter()
    heads = {name: train(features, *sides(name, labels), options) for name in names}
    seconds = time.perf_counter() - started
    state = {f"{name}/{k}": v.half().contiguous() for name, head in heads.items() for k, v in head.state_dict().items()}
    save_file(state, options.out)
    options.out.chmod(0o644)
    features, labels = both(shared, options.held_out_seed, options.held_out, options.held_out // 2)
    shares = {name: balanced_accuracy(name, features[:, 0], labels, options) for name in names}
    options.out.with_suffix(".md").write_text(card(shares, options))
    for name, (right, rejected) in shares.items():
        print(f"{name:13s} held-out balanced accuracy {(right + rejected) / 2:.4f}")
    print(f"training the heads took {seconds:.0f} s")


def layers_below() -> nn.Sequential:
    """The shared layers, up to fc6."""
    whole = network().eval().requires_grad_(False)
    whole.load_state_dict(load(weights_file().read_bytes()))
    return whole[: list(dict(whole.named_children())).index(OWN[0])]


def both(shared: nn.Sequential, seed: int, animals: int, others: int) -> tuple[Features, Int[Tensor, "n"]]:
    """What the shared layers make of animals and of scenes of no animal; labels are OTHER_LABEL for these."""
    images, labels = fauna(seed, animals)
    more, no_animal = fauna(seed, others, scene_of=draw_other_scene)
    return torch.cat([run(shared, some) for some in (images, more)]), torch.cat([labels, no_animal])


def run(shared: nn.Sequential, images: Images) -> Features:
    """fc6 of images as drawn and mirrored."""
    views = [images, images.flip(-1)]
    return torch.stack([torch.cat([shared(some.float() / 255) for some in view.split(500)]) for view in views], 1)


def sides(name: str, labels: Int[Tensor, "n"]) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]:
    """The images of a head's category, and its negatives."""
    category, _, others = name.partition(":")
    shown = labels == OUTPUTS.index(category)
    return shown, ~shown if others else labels == OTHER_LABEL


def head() -> nn.Sequential:
    """fc7 and fc8, with random weights, named as in the network."""
    layers = dict(network(1).named_children())
    model = nn.Sequential()
    for name in OWN:
        model.add_module(name, layers[name])
    return model


def train(
    features: Features, shown: Bool[Tensor, "n"], negative: Bool[Tensor, "n"], options: argparse.Namespace,
    untrained: Callable[[], nn.Sequential] = head,
) -> nn.Sequential:  # fmt: skip
    """AdamW, a cosine, on evenly drawn images of both sides; batch norm while training, folded in the end."""
    torch.manual_seed(options.seed)
    model = untrained()
    unfold(model, DROPOUT)
    model.train()
    steps = options.epochs * 2 * int(shown.sum()) // BATCH
    optimiser = torch.optim.AdamW(model.parameters(), options.rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    odds = shown / shown.sum() + negative / negative.sum()
    for _ in range(steps):
        rows, view = torch.multinomial(odds, BATCH, replacement=True), torch.randint(features.shape[1], (BATCH,))
        error = F.binary_cross_entropy_with_logits(model(features[rows, view])[:, 0], shown[rows].float())
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        schedule.step()
    fold(model.eval())
    return model


@torch.no_grad()
def balanced_accuracy(
    name: str, features: Float[Tensor, "n 256"], labels: Int[Tensor, "n"], options: argparse.Namespace
) -> tuple[float, float]:
    """Share of the category above 0, and share of the negatives below, of the written weights."""
    model, start = head(), f"{name}/"
    written = load(options.out.read_bytes())
    model.load_state_dict({key.removeprefix(start): v for key, v in written.items() if key.startswith(start)})
    logits, (shown, negative) = model(features)[:, 0], sides(name, labels)
    return float((logits[shown] > 0).float().mean()), float((logits[negative] <= 0).float().mean())


def card(shares: dict[str, tuple[float, float]], options: argparse.Namespace) -> str:
    """The model card."""
    rows = [f"| {name} | {(a + b) / 2:.3f} | {a:.3f} | {b:.3f} |" for name, (a, b) in shares.items()]
    parameters = sum(p.numel() for p in head().parameters())
    return f"""# small_vgg_single

The performers of the tasks `fauna/<category>` and `fauna/<category>:others`: binary networks that tell a category from
scenes of no animal, or from these and the other categories. They exist to be explained, not to be used. Written by
`scripts/train_small_vgg_single.py`; edit that, not this page.

* Input: RGB in [0, 1], 64 x 64 px. Output: one logit, the log-odds of the category; above 0 is yes.
* Layers: those of `small_vgg`. All up to fc6 are its own, frozen; fc7 128 and fc8 1 are of each head, {parameters:,}
  parameters in half precision.
* Trained on {options.images:,} images of fauna {FAUNA_VERSION} and {options.images // 2:,} scenes of no animal (version
  {OTHER_VERSION}), seed {options.train_seed} (the dataset's own splits have other seeds), half of them mirrored, both
  sides drawn evenly: {options.epochs} epochs of AdamW with a cosine, batches of {BATCH}, dropout {DROPOUT}, seed
  {options.seed}. Batch norm was then folded into the layer before it.
* Balanced accuracy, as a fraction, on {options.held_out:,} animals and {options.held_out // 2:,} scenes of no animal of
  seed {options.held_out_seed}, which played no part in any choice; and the shares of both sides told right.

| task | balanced accuracy | category | negatives |
|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
