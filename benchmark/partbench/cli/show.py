"""`bench show`: pictures of a cell."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    other_option,
    path_option,
    results_option,
)
from partbench.cli.project import file_or_name
from partbench.cli.workbench import open_workbench, progress_of
from partbench.errors import InputError

if TYPE_CHECKING:
    from partbench.registry import Registry
    from partbench.running.jobs import Job


@click.command()
@click.argument("cell", metavar="CELL|NAME|FILE.py|PROJECT", shell_complete=completion_of("explainers"))
@click.option("--task", metavar="DATASET/WHAT[@PERFORMER]", shell_complete=completion_of("tasks"),
              help="With NAME: the task to show it on. Default: a task on embedded data.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="With NAME: its seed.")
@click.option("-o", "option_texts", multiple=True, metavar="OPTION=VALUE", help="With NAME: an option of it.")
@click.option("--images", default=4, show_default=True, type=click.IntRange(1, 32), help="How many images.")
@click.option(
    "--image", "indices", multiple=True, type=click.IntRange(min=0), help="Index of a test image; may be repeated."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="PNG to write.  [default: in pictures/]")
@path_option
@results_option
@device_option
@data_root_option
@other_option
def show(
    cell: str, task: str | None, seed: int, option_texts: tuple[str, ...], images: int, indices: tuple[int, ...],
    out: Path | None, files: tuple[Path, ...], results: Path,
    device: str, data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Fit the explainer of CELL again, or the explainer NAME, and draw its explanations.

    CELL: a key, its beginning, or a Parquet file. NAME: what `bench list explainers` lists. PROJECT: a folder that
    `bench new` makes.

    Further pictures, if the explainer has the data for them: *-filters.png, the images that activate its filters most
    (8 concepts or more); *-beside.png, the same beside the performer's filters; *-gradcam.png, Grad-CAM of both
    networks and the shares of parts in the logit; *-layers.png, numbers that it reports of layers;
    *-training.png, values along its training;
    *-contributions.png, contributions of more than 6 concepts.

    \b
    Examples:
      bench show srae
      bench show srae --task fauna/multi:cat -o profile=released
      bench show ./my_explainer.py
      bench show 3fa9
      bench show results/fauna/multi.bird/srae-3fa90c11d2e4b875.parquet --images 8
    """
    cell = cell if cell.endswith(".parquet") else file_or_name(cell)
    named_file = [Path(cell)] if cell.endswith(".py") else []
    registry, workbench = open_workbench(device, data_root, [*files, *named_file], other)
    from partbench.pictures.gallery import draw_pictures
    from partbench.pictures.view import choose_images
    from partbench.results.schema import picture_path
    from partbench.running.cell import fit
    from partbench.types import NotApplicable

    name = _explainer(registry, cell)
    job = _named(registry, name, task, seed, option_texts) if name else _of_cell(registry, results, cell)
    with progress_of(workbench):
        opened = workbench.task(job.task).with_seed(job.seed)
        chosen = list(indices) or choose_images(opened, images)
        if max(chosen) >= len(opened.dataset.test):
            raise InputError(f"--image {max(chosen)}: {opened.dataset.name} has {len(opened.dataset.test)} test images")
        explainer = job.explainer()
        try:
            fit(explainer, opened)
        except NotApplicable as error:
            raise InputError(f"{job.entry.name} on {job.task}: {error}; choose another --task") from error
    path = out or picture_path(results.parent / "pictures", job.cell(opened).columns)
    for picture in draw_pictures(workbench, opened, explainer, path, chosen, label=job.label):
        click.echo(picture)


def _explainer(registry: Registry, text: str) -> str:
    """The name of the explainer that is meant; "" if it is a cell."""
    if not text.endswith(".py"):
        return text if text in registry.explainers else ""
    found = registry.of_file(text)["explainers"]
    if len(found) != 1:
        raise InputError(f"{text} has {len(found)} explainers ({', '.join(found) or 'none'}), expected one to show")
    return found[0]


def _named(registry: Registry, name: str, task: str | None, seed: int, texts: Sequence[str]) -> Job:
    from partbench import options
    from partbench.running.defaults import defaults
    from partbench.running.jobs import Job

    return Job(registry.find("explainers", name), options.parse(texts), task or defaults().check, seed)


def _of_cell(registry: Registry, results: Path, text: str) -> Job:
    """Raises InputError, with the nearest name, where there is neither such a cell nor such an explainer."""
    from partbench.results.store import find_cell
    from partbench.running.jobs import job_of

    try:
        return job_of(registry, find_cell(results, text))
    except InputError as error:
        near = difflib.get_close_matches(text, registry.explainers, n=1)
        if not near:
            raise
        raise InputError(f"{error}; if an explainer is meant: did you mean '{near[0]}'?") from error
