"""`bench performer train` as users type it, in worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from partbench.cli.main import main
from partbench.running.crew import Crew

TRAINING = Path(__file__).parents[1] / "running" / "training"
WORDS = (
    "performer", "train", "colours/multi", "--network", "tiny", "--weights", "random", "--epochs", "2", "--batch-size",
    "8", "--threads", "1", "--device", "cpu", "--plugin-file", str(TRAINING / "squares_plugin.py"),
)  # fmt: skip


def bench(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_a_trained_performer_is_told_with_its_card_and_a_second_of_the_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(*WORDS, "--name", "mine")
    assert result.exit_code == 0, result.output
    assert "epoch 1/2: loss" in result.stderr
    assert "epoch 2/2: loss" in result.stderr
    first, _, test, usage = result.stdout.splitlines()
    assert first.startswith("performers/mine: epoch ")
    assert usage.endswith("bench run --plugin performers/mine --plugin top_conv --task colours/multi:CATEGORY@mine")
    value = test.partition(", balanced ")[0].removeprefix("test accuracy ")
    assert f"| test, accuracy | {value} | 30 |" in (tmp_path / "performers" / "mine" / "card.md").read_text()
    again = bench(*WORDS, "--name", "mine")
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "mine is there already" in again.stderr


def test_mistakes_are_one_line_before_any_process_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, answer in (
        (("--lr", "0"), "--lr is 0, expected a number above 0"),
        (("--name", "a/b"), "without separ"),
    ):
        result = bench(*WORDS, "--name", "mine", *words)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert answer in result.stderr
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_with_a_line_that_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(crew: Crew, steps: object) -> None:
        crew.listener.progress(0, "epoch: loss 0.5, held-out accuracy 0.9", 3, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr(Crew, "run", interrupted)
    monkeypatch.chdir(tmp_path)
    result = bench(*WORDS, "--name", "mine")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "bench: interrupted; the same command goes on from the end of epoch 3, performers/mine.training"
    )
