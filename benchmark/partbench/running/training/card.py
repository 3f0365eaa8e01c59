"""The card of a trained performer: what it is, how it was trained, and how often it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from partbench.running.training.accuracy import accuracy, balanced_accuracy, by_class


@dataclass(frozen=True)
class Classified:
    """Images of a split: which of them the network names rightly, and their labels."""

    right: Bool[np.ndarray, "n"]
    labels: Int[np.ndarray, "n"]

    def lines(self, what: str) -> list[str]:
        """Rows of the table of accuracies."""
        return [
            f"| {what}, accuracy | {accuracy(self.right)} | {len(self.right):,} |",
            f"| {what}, balanced accuracy | {balanced_accuracy(self.right, self.labels)} | {len(self.right):,} |",
        ]


@dataclass(frozen=True)
class Results:
    """What a training came to: names of the labels, images to train on by label, held-out and test images, the curve.

    `best` is the number of the epoch whose weights were taken.
    """

    names: Sequence[str]
    trained: Sequence[int]
    held: Classified
    test: Classified
    curve: Sequence[Mapping[str, Any]]
    best: int


def card(description: Mapping[str, Any], found: Results) -> str:
    """The card, in Markdown."""
    how = description["training"]
    frozen = f"all layers but {', '.join(how['frozen'])}" if how["frozen"] else "all layers"
    usage = (
        f"{description['task']}{':CATEGORY' if description['task'].endswith('/multi') else ''}@{description['name']}"
    )
    lines = [
        f"# {description['name']}", "",
        f"{description['network']} ({description['input_size']} px, weights: {how['weights']}), trained on the "
        f"training images of {description['task']}: {frozen}, {how['epochs']} epochs, batches of {how['batch_size']}, "
        f"learning rate {how['lr']:g}, schedule {how['schedule']}, {how['precision']}, seed {how['seed']}. All classes "
        "were drawn equally often. A tenth of the training images of each class was held out; the weights are those of "
        f"epoch {found.best}, which does best on them. The test images were read once, for this card.", "",
        "```console",
        f"bench run --plugin FOLDER --plugin top_conv --task {usage}",
        "```", "", "FOLDER is the folder of this card.", "",
        "| images | fraction right, with its 95 % interval | how many |", "|---|---|---|",
        *found.held.lines("held out (they chose the epoch)"), *found.test.lines("test"), "",
        "Intervals are Wilson's; of balanced accuracy, those of the classes are joined (MOVER).", "",
        "| class | trained on | held out | test | test accuracy |", "|---|---|---|---|---|", *_class_lines(found), "",
        "| epoch | loss | held-out loss | held-out accuracy | held-out balanced accuracy |", "|---|---|---|---|---|",
        *[f"| {row['epoch']} | {row['loss']:.4f} | {row['held_out_loss']:.4f} | {row['held_out_accuracy']:.3f} | "
          f"{row['held_out_balanced_accuracy']:.3f} |" for row in found.curve], "",
    ]  # fmt: skip
    return "\n".join(lines)


def _class_lines(found: Results) -> list[str]:
    lines = []
    for label, name in enumerate(found.names):
        counts = [int((of_split.labels == label).sum()) for of_split in (found.held, found.test)]
        right = str(by_class(found.test.right, found.test.labels, [label])[0]) if counts[1] else "no images"
        lines.append(f"| {name} | {found.trained[label]} | {counts[0]} | {counts[1]} | {right} |")
    return lines
