"""`bench show`: pictures of a cell."""

from __future__ import annotations

from pathlib import Path

import click

from partbench.cli.parameters import data_root_option, device_option, other_option, path_option, results_option
from partbench.cli.workbench import open_workbench, progress_of
from partbench.errors import InputError


@click.command()
@click.argument("cell")
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
    cell: str, images: int, indices: tuple[int, ...], out: Path | None, files: tuple[Path, ...], results: Path,
    device: str, data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Fit the explainer of CELL again and draw its explanations. CELL: a key, its beginning, or a Parquet file.

    Further pictures, if the explainer has the data for them: *-filters.png, the images that activate its filters most
    (8 concepts or more); *-beside.png, the same beside the performer's filters; *-gradcam.png, Grad-CAM of both
    networks and the shares of parts in the logit; *-layers.png, numbers that it reports of layers;
    *-training.png, values along its training;
    *-contributions.png, contributions of more than 6 concepts.

    \b
    Examples:
      bench show 3fa9
      bench show results/fauna/multi.bird/srae-3fa90c11d2e4b875.parquet --images 8
    """
    registry, workbench = open_workbench(device, data_root, files, other)
    from partbench.pictures.gallery import draw_pictures
    from partbench.pictures.view import choose_images
    from partbench.results.schema import picture_path
    from partbench.results.store import find_cell
    from partbench.running.cell import fit
    from partbench.running.jobs import job_of

    row = find_cell(results, cell)
    job = job_of(registry, row)
    with progress_of(workbench):
        task = workbench.task(job.task).with_seed(job.seed)
        chosen = list(indices) or choose_images(task, images)
        if max(chosen) >= len(task.dataset.test):
            raise InputError(f"--image {max(chosen)}: {task.dataset.name} has {len(task.dataset.test)} test images")
        explainer = job.explainer()
        fit(explainer, task)
    path = out or picture_path(results.parent / "pictures", row)
    for picture in draw_pictures(workbench, task, explainer, path, chosen):
        click.echo(picture)
