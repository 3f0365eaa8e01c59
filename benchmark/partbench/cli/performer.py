"""`bench performer`: networks trained on the images of a task, kept as performers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    other_option,
    path_option,
)
from partbench.cli.usage import Commands
from partbench.errors import InputError
from partbench.running.training.request import SCHEDULES, TrainingRequest

if TYPE_CHECKING:
    from partbench.running.cell_job import Setting

FUNCTION = "partbench.running.training.worker_training:trained"


@click.group(cls=Commands)
def performer() -> None:
    """Performers: train a network on a task, to explain it."""


@performer.command()
@click.argument("task", metavar="DATASET/multi|DATASET/CATEGORY[:others]", shell_complete=completion_of("tasks"))
@click.option("--network", required=True, metavar="NAME[,size=PX]",
              help="Network to train, as in torchvision:resnet18, timm:resnet50, vgg_16 or lite0.")  # fmt: skip
@click.option("--name", required=True, help="What the performer is called in tasks.")
@click.option("--weights", default="default", show_default=True, metavar="default|random|FILE",
              help="Weights to begin with: the published ones, random ones, or a file.")  # fmt: skip
@click.option("--schedule", type=click.Choice(SCHEDULES), default="cosine", show_default=True,
              help="AdamW with a cosine or a constant rate; or SGD as published for interpretable CNNs.")  # fmt: skip
@click.option("--epochs", type=int, help="Default: 20; of the published schedule 80, for a single category 50.")
@click.option("--batch-size", type=int, help="Default: 32; of the published schedule that of the network.")
@click.option(
    "--lr", type=float, help="Highest learning rate. Default: 2e-4, with random weights 1e-3, or as published."
)
@click.option("--frozen", multiple=True, metavar="LAYER[,LAYER...]",
              help="Layers that keep their weights, as `bench list performers NETWORK` names them.")  # fmt: skip
@click.option("--mixed-precision/--no-mixed-precision", default=None,
              help="bfloat16 (or float16) where that is safe, on CUDA only. Default: there, yes.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Of the CPU. Default: all cores.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Folder to make. Default: performers/NAME.")  # fmt: skip
@path_option
@device_option
@data_root_option
@other_option
def train(
    task: str, name: str, out: Path | None, frozen: tuple[str, ...], threads: int | None, files: tuple[Path, ...],
    device: str, data_root: Path | None, other: Path | None, **how: Any,
) -> None:  # fmt: skip
    """Train a network on the training images of TASK, and keep it as a performer that tasks can name.

    All layers are trained, but for those that are frozen. A tenth of the training images is held out to choose the
    epoch; the test images are read once, in the end. The folder has the weights, a card with accuracies and their
    intervals, and the plugin file that `--plugin FOLDER` loads.

    A checkpoint is written after every epoch: interrupted, the same command goes on and ends with the same weights.
    docs/networks.md has the schedules.

    \b
    Examples:
      bench performer train fauna/multi --network torchvision:resnet18,size=64 --weights random --name mine
      bench performer train animal_part/multi --network lite0 --name fine_lite0 --epochs 8
      bench performer train cub/bird --network vgg_16 --schedule published --name vgg_bird
      bench run --plugin top_conv --plugin performers/mine --task fauna/multi:bird@mine
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import near
    from partbench.running.cell_job import Setting

    folder = (out or Path("performers") / _folder_name(name)).absolute()
    layers = tuple(layer for text in frozen for layer in text.split(",") if layer)
    asked = TrainingRequest(
        task=task, name=name, out=str(folder), frozen=layers, threads=threads or os.cpu_count() or 1, **how
    )
    asked.expect_new_folder()
    prepare_cache()
    found = _trained(asked, Setting.at(None, files, data_root, other, device=device))
    click.echo(f"{near(found['folder'])}: epoch {found['epoch']} of {found['epochs']} is kept")
    click.echo(f"held-out balanced accuracy {found['held_out']}")
    click.echo(f"test accuracy {found['test']}, balanced {found['test_balanced']}")
    further = ":CATEGORY" if task.endswith("/multi") else ""
    click.echo(
        f"explain it: bench run --plugin {near(found['folder'])} --plugin top_conv --task {task}{further}@{name}"
    )


def _folder_name(name: str) -> str:
    """A name as that of a folder; the worker says what is wrong with names that cannot be one."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise InputError(f"--name {name!r}: expected a name without separators")
    return name


def _trained(asked: TrainingRequest, setting: Setting) -> dict[str, Any]:
    """What a worker tells of the training. Raises InputError for a mistake; ends the program where training fails."""
    from partbench.cli.progress import near
    from partbench.cli.training_display import TrainingDisplay
    from partbench.running.cell_job import Limits, plain
    from partbench.running.crew import Crew, Step, last_words
    from partbench.running.engine import interruptible

    request = {"do": "call", "function": FUNCTION, "setting": plain(setting), "training": asked.plain()}
    limits = Limits(None, Limits.usual().memory)
    display = TrainingDisplay(quiet=False)
    with interruptible(), display:
        try:
            with Crew(1, limits, display) as crew:
                [answer] = crew.run([Step("train", request, f"training {asked.name}")])
        except KeyboardInterrupt:
            display.line(
                f"bench: interrupted; the same command goes on from {display.last}, {near(str(asked.unfinished))}"
            )
            sys.exit(130)
        for text in dict.fromkeys(answer.warnings):
            display.line(f"bench: warning: {text}")
    if answer.kind == "mistake":
        raise InputError(answer.text)
    if answer.kind != "done":
        click.echo(last_words(answer.log), err=True)
        click.echo(
            f"bench: training {asked.name} failed: {answer.text}; the same command goes on from the checkpoint",
            err=True,
        )
        sys.exit(1)
    return {**answer.result, "folder": asked.out}
