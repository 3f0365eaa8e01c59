"""Trainings in this process, from the request to the performer that tasks name."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from partbench import InputError, silent
from partbench.opening import Workbench
from partbench.plugin_files import import_file
from partbench.registry import Entry, offered
from partbench.running.cell import run_cell
from partbench.running.training.request import TrainingRequest
from partbench.running.training.space import held
from partbench.running.training.worker_training import Prepared
from partbench_plugins.excitation_bp import ExcitationBackprop
from partbench_plugins.top_conv import TopConv

Asked = Callable[..., TrainingRequest]


def trained(asked: TrainingRequest, workbench: Workbench) -> dict:
    prepared = Prepared.of(asked, workbench)
    with held(asked.unfinished):
        return prepared.run(silent)


@pytest.mark.parametrize("task", ["colours/multi", "colours/red"])
def test_what_is_trained_is_a_performer_that_its_task_names(
    task: str, asked: Asked, workbench: Workbench, tmp_path: Path
) -> None:
    found = trained(asked(task=task, epochs=10, lr=0.02), workbench)
    folder = tmp_path / "mine"
    assert float(found["test_balanced"].partition(" ")[0]) > 0.7
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    [(kind, cls)] = offered(import_file(folder / "performer.py"))
    getattr(workbench.registry, kind)["mine"] = Entry("mine", cls, "mine", "mine", "1")
    opened = workbench.task(f"{task}{':red' if task.endswith('multi') else ''}@mine")
    performer, test = opened.performer, opened.dataset.test
    logits = performer.logits(test.batch(range(len(test))).pixels)
    right = (logits[:, 0] > 0).long() if task.endswith("red") else logits.argmax(1)
    accuracy = float((right == test.labels).float().mean())
    assert found["test"].startswith(f"{accuracy:.3f}")
    assert (performer.name, cls.name) == ("mine", "mine")
    for cls in (TopConv, ExcitationBackprop):
        run = run_cell(cls(), opened, [])
        assert (run.failed, run.skipped) == ("", "")
    description = tomllib.loads((folder / "performer.toml").read_text())
    assert description["outputs"] == list(performer.outputs)
    assert description["training"]["epochs"] == 10


MISTAKES = {
    "a network that is not there": ({"network": "tinny"}, "no performer named 'tinny'; did you mean 'tiny'"),
    "a logit": (
        {"task": "colours/multi:red"},
        "no network is trained on colours/multi:red alone; train on colours/multi",
    ),
    "an unknown task": ({"task": "colours/blue"}, "no task named 'colours/blue'"),
    "a name of a performer": ({"name": "Tiny"}, "--name Tiny: there is a performer tiny; choose another name"),
    "a name that none can have": ({"name": "a,b"}, "--name a,b: name is 'a,b'; expected no spaces, separators"),
    "a batch larger than the data": ({"batch_size": 46}, "--batch-size is 46, expected at most the 45 images"),
    "a layer that is not there": ({"frozen": ("conv7",)}, "no layer to freeze named 'conv7'"),
    "a file that is not there": ({"weights": "none.pth"}, "there is no file of weights none.pth"),
    "a network that keeps its logits": ({"network": "tiny,outputs=imagenet"}, "leave outputs=imagenet out to train it"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(
    mistake: str, asked: Asked, workbench: Workbench, tmp_path: Path
) -> None:
    options, text = MISTAKES[mistake]
    with pytest.raises(InputError) as error:
        Prepared.of(asked(**options), workbench)
    assert text in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_not_written_to(asked: Asked, workbench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="mine is there already; choose another --name or --out, or remove it"):
        Prepared.of(asked(), workbench)


def test_a_training_that_was_begun_is_gone_on_with_by_the_same_request_alone(
    asked: Asked, workbench: Workbench, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if what.startswith("epoch 3"):
            raise Killed

    with pytest.raises(Killed), held(tmp_path / "mine.training"):
        Prepared.of(asked(epochs=4), workbench).run(kill)
    with pytest.raises(InputError, match="other arguments: epochs was 4, is now 5"):
        Prepared.of(asked(epochs=5), workbench)
    epochs = []
    resumed = Prepared.of(asked(epochs=4), workbench)
    with torch.random.fork_rng():
        resumed.run(lambda what, done, total: epochs.append(what.partition(":")[0]))
    assert [what for what in dict.fromkeys(epochs) if what.startswith("epoch ")] == ["epoch 3 of 4", "epoch 4 of 4"]
    trained(asked(epochs=4, name="whole", out=str(tmp_path / "whole")), workbench)
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("mine", "whole")]
    assert weights[0] == weights[1]


def test_mixed_precision_is_said_to_be_ignored_on_the_cpu(asked: Asked, workbench: Workbench) -> None:
    with pytest.warns(UserWarning, match="mixed precision is for CUDA"):
        assert Prepared.of(asked(mixed_precision=True), workbench).precision is None
