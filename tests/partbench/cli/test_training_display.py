"""What is shown of a training."""

from __future__ import annotations

import pytest

from partbench.cli.training_display import TrainingDisplay


def test_the_time_left_follows_from_the_epochs_so_far(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 110.0, 120.0))
    monkeypatch.setattr("partbench.cli.training_display.time.monotonic", lambda: next(clock))
    display = TrainingDisplay(quiet=False)
    display.progress(0, "epoch 4 of 10", 1, 5)
    display.progress(0, "epoch: loss 0.5", 4, 10)
    assert "epoch 4/10: loss 0.5, 1.0 min left" in capsys.readouterr().err
