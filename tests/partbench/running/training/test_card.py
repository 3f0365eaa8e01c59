from __future__ import annotations

import numpy as np

from partbench.running.training.card import Classified, Results, card

HOW = {
    "weights": "random", "schedule": "cosine", "epochs": 2, "batch_size": 8, "lr": 1e-3, "frozen": ["conv1"], "seed": 0,
    "precision": "float32",
}  # fmt: skip


def test_a_card_has_accuracies_with_intervals_counts_by_class_and_the_curve() -> None:
    held, test = Classified(np.ones(2, bool), np.array([0, 1])), Classified(np.arange(10) < 8, np.zeros(10, int))
    row = {"epoch": 1, "loss": 0.5, "held_out_loss": 0.25, "held_out_accuracy": 1.0, "held_out_balanced_accuracy": 1.0}
    description = {"name": "mine", "network": "tiny", "input_size": 32, "task": "d/multi", "training": HOW}
    text = card(description, Results(["cat", "dog"], [9, 7], held, test, [row], 1))
    for line in (
        "| test, accuracy | 0.800 [0.490, 0.943] | 10 |",
        "| cat | 9 | 1 | 10 | 0.800 [0.490, 0.943] |",
        "| dog | 7 | 1 | 0 | no images |",
        "| 1 | 0.5000 | 0.2500 | 1.000 | 1.000 |",
        "bench run --plugin FOLDER --plugin top_conv --task d/multi:CATEGORY@mine",
    ):
        assert line in text.splitlines()
    assert "all layers but conv1, 2 epochs, batches of 8, learning rate 0.001" in text
