"""The command line: `bench`. Thin, and quick to start: what is heavy is imported inside the commands."""

from __future__ import annotations

import gc
import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench import __version__
from partbench.errors import InputError, unknown

if TYPE_CHECKING:
    from partbench.cli.console import Reporter
    from partbench.opening import Workbench
    from partbench.registry import Registry
    from partbench.running.jobs import Outcome

KINDS = ("explainers", "metrics", "tasks", "performers")
DEFAULT_TASKS = "fauna/multi:*"


class Program(click.Group):
    """A group whose commands end a user's mistake in one line with exit code 2, and Ctrl-C with 130."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command; finished cells survive an interrupt because each is on disk already."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(context)
        except InputError as error:
            click.echo(f"bench: {error}", err=True)
            context.exit(2)
        except KeyboardInterrupt:
            click.echo("bench: interrupted; finished cells are kept, the same command goes on from there", err=True)
            context.exit(130)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command, with a hint for a misspelt one."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(str(unknown("command", args[0], self.commands)))
        return super().resolve_command(context, args)


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of Parquet files; leaderboards/ and pictures/ are written beside it.",
)
data_root_option = click.option(
    "--data-root", type=click.Path(path_type=Path), help="Folder of real data, or one that holds a folder per dataset."
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
path_option = click.option(
    "--plugin-file", "files", multiple=True, type=click.Path(path_type=Path), help="Load plugins from a file too."
)


def _names(kind: str) -> Any:
    """Completion of names; only TAB pays for finding the plugins."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from partbench.registry import load

        registry = load()
        names = registry.tasks() if kind == "tasks" else list(getattr(registry, kind))
        return [name for name in names if name.startswith(incomplete)]

    return complete


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="partbench")
def main() -> None:
    """partbench: which explainers of image classifiers deserve trust.

    \b
    bench run --plugin srae                      numbers and pictures on embedded data
    bench run --plugin ./mine.py --task fauna/multi:bird
    bench list explainers                        what there is
    bench leaderboard                            rebuild the pages from results/
    bench completion bash >> ~/.bashrc           complete names with TAB
    """


@main.command()
@click.option(
    "--plugin", "plugins", multiple=True, required=True, metavar="NAME|FILE.py", shell_complete=_names("explainers"),
    help="Explainer to run, by name or as a file; may be repeated. `all` runs every registered one.",
)  # fmt: skip
@click.option(
    "--task", "tasks", multiple=True, metavar="DATASET/CATEGORY[@PERFORMER]", shell_complete=_names("tasks"),
    help="Task to run on; may be repeated; `fauna/multi:*` is every category. Default: the six fauna categories.",
)  # fmt: skip
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Seed; may be repeated. Default: 0.")
@click.option("-o", "option_texts", multiple=True, metavar="OPTION=VALUE", help="An option, or plugin.option=value.")
@click.option("--metric", "metrics", multiple=True, shell_complete=_names("metrics"), help="Print these metrics only.")
@click.option("--overwrite", is_flag=True, help="Do finished cells again.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw what the explainers show.")
@json_option
@results_option
@device_option
@data_root_option
def run(
    plugins: tuple[str, ...], tasks: tuple[str, ...], seeds: tuple[int, ...], option_texts: tuple[str, ...],
    metrics: tuple[str, ...], overwrite: bool, pictures: bool, as_json: bool, results: Path, device: str,
    data_root: Path | None,
) -> None:  # fmt: skip
    """Fit explainers, score them, update the leaderboards of their data, draw the pictures.

    \b
    Examples:
      bench run --plugin srae
      bench run --plugin srae --plugin nn --task fauna/multi:bird --seed 0 --seed 1
      bench run --plugin srae -o profile=released -o epochs=30
      bench run --plugin srae --task 'animal_part/multi:*' --data-root ~/data
      bench run --plugin ./my_explainer.py --task fauna/multi:cat
    """
    registry, workbench = _open(device, data_root, [name for name in plugins if name.endswith(".py")])
    from partbench import options
    from partbench.cli.console import Reporter
    from partbench.pictures.gallery import draw_pictures
    from partbench.results.schema import picture_path
    from partbench.running.jobs import Campaign, check_writable, plan

    for name in metrics:
        registry.find("metrics", name.partition("@")[0])
    names = workbench.expand(tasks or (DEFAULT_TASKS,))
    jobs = plan(registry, plugins, names, seeds or (0,), options.parse(option_texts))
    check_writable(results)
    outcomes: list[Outcome] = []
    with Reporter(len(jobs), quiet=as_json) as reporter:
        workbench.progress = reporter.progress
        for outcome in Campaign(workbench, jobs, results, overwrite, reporter.progress):
            reporter.cell(outcome)
            outcomes.append(outcome)
            if pictures and outcome.run and not (outcome.run.failed or outcome.run.skipped):
                path = picture_path(results.parent / "pictures", outcome.cell.columns)
                for picture in draw_pictures(workbench, outcome.task, outcome.run.explainer, path):
                    reporter.drawn(picture)
    pages = _write_pages(results, {outcome.cell.dataset for outcome in outcomes})
    reporter.summary(outcomes, metrics, pages, as_json)
    if outcomes and all(outcome.run and outcome.run.failed for outcome in outcomes):
        sys.exit(1)


@main.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@path_option
@json_option
def list_(kind: str | None, files: tuple[Path, ...], as_json: bool) -> None:
    """What is registered, with versions and owners, and the plugins that are broken.

    \b
    Examples:
      bench list
      bench list metrics --json
    """
    from partbench.cli.console import print_table
    from partbench.registry import load

    registry = load(files)
    listing = {name: _listing(registry, name) for name in ([kind] if kind else KINDS)}
    broken = [{"plugin": b.plugin, "error": b.error} for b in registry.broken]
    if as_json:
        click.echo(json.dumps({**listing, "broken": broken}, indent=1))
        return
    for name, rows in listing.items():
        print_table(name, [{key: value for key, value in row.items() if key != "module"} for row in rows])
    if broken:
        print_table("broken plugins", broken)


@main.command()
@click.option("--check", is_flag=True, help="Only check: fail if the pages do not match the results.")
@results_option
def leaderboard(check: bool, results: Path) -> None:
    """Rebuild the pages of leaderboards/ from results alone.

    \b
    Examples:
      bench leaderboard
      bench leaderboard --check      exit code 1 if a page is stale
    """
    from partbench.leaderboard.build import stale_pages
    from partbench.results.store import load_results

    if not results.is_dir():
        raise InputError(f"no folder {results}; run `bench run` first, or name one with --results")
    if check:
        stale = stale_pages(results.parent / "leaderboards", load_results(results))
        if stale:
            click.echo(f"bench: stale: {', '.join(stale)}; run `bench leaderboard`", err=True)
            sys.exit(1)
        click.echo("leaderboards match the results")
        return
    for page in _write_pages(results):
        click.echo(page)


@main.command()
@click.argument("cell")
@click.option("--images", default=4, show_default=True, type=click.IntRange(1, 32), help="How many images.")
@click.option("--image", "indices", multiple=True, type=click.IntRange(min=0), help="This test image; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="PNG to write.  [default: in pictures/]")
@path_option
@results_option
@device_option
@data_root_option
def show(
    cell: str, images: int, indices: tuple[int, ...], out: Path | None, files: tuple[Path, ...], results: Path,
    device: str, data_root: Path | None,
) -> None:  # fmt: skip
    """Draw what an explainer shows: refits CELL (a key, its beginning, or a Parquet file) and writes a PNG.

    Beside it, where the explainer has what they show: *-filters.png, what its filters see (maps of 8 concepts or more);
    *-beside.png, the same next to the performer's filters; *-gradcam.png, Grad-CAM of both and the shares of parts in
    the logit; *-layers.png, what it reports of layers; *-contributions.png, contributions of more than 6 concepts.

    \b
    Examples:
      bench show 3fa9
      bench show results/fauna/multi.bird/srae-3fa90c11d2e4b875.parquet --images 8
    """
    registry, workbench = _open(device, data_root, files)
    from partbench.pictures.gallery import draw_pictures
    from partbench.pictures.view import choose_images
    from partbench.results.schema import picture_path
    from partbench.results.store import find_cell
    from partbench.running.cell import fit
    from partbench.running.jobs import job_of

    row = find_cell(results, cell)
    job = job_of(registry, row)
    with _progress(workbench):
        task = workbench.task(job.task).with_seed(job.seed)
        chosen = list(indices) or choose_images(task, images)
        if max(chosen) >= len(task.dataset.test):
            raise InputError(f"--image {max(chosen)}: {task.dataset.name} has {len(task.dataset.test)} test images")
        explainer = job.explainer()
        fit(explainer, task)
    path = out or picture_path(results.parent / "pictures", row)
    for picture in draw_pictures(workbench, task, explainer, path, chosen):
        click.echo(picture)


@main.command()
@path_option
@data_root_option
@json_option
def doctor(files: tuple[Path, ...], data_root: Path | None, as_json: bool) -> None:
    """The environment, the data found and the plugins broken: what to look at when something is odd.

    \b
    Example:
      bench doctor --data-root ~/data
    """
    from partbench.cli.console import print_table
    from partbench.cli.doctor import examine

    found = examine(files, data_root)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        for title, rows in found.items():
            print_table(title, rows)
    if any(row["status"] == "broken" for rows in found.values() for row in rows):
        sys.exit(1)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell code that completes `bench` with TAB.

    \b
    Example:
      bench completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise InputError(f"no completion for {shell}")
    click.echo(complete(main, {}, "bench", "_BENCH_COMPLETE").source())


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"bench: warning: {message}", err=True)


def _open(device: str, data_root: Path | None, files: Any = ()) -> tuple[Registry, Workbench]:
    gc.disable()  # what is imported stays: a fifth of the time went into looking for garbage in it
    try:
        from partbench.nn.torch_setup import choose_device, keep_freed_memory
        from partbench.opening import Workbench
        from partbench.registry import load

        keep_freed_memory()
        registry = load(files)
        gc.freeze()
    finally:
        gc.enable()
    return registry, Workbench(registry, data_root, choose_device(device))


def _listing(registry: Registry, kind: str) -> list[dict[str, str]]:
    if kind == "tasks":
        return [{"name": name, "performer": registry.default_performer(name)} for name in registry.tasks()]
    entries = sorted(getattr(registry, kind).values(), key=lambda entry: entry.name)
    return [
        {
            "name": entry.name,
            "version": getattr(entry.cls, "version", entry.version),
            "owner": f"{entry.distribution} {entry.version}",
            "module": entry.owner,
            "what": (entry.cls.__doc__ or "").strip().splitlines()[0] if entry.cls.__doc__ else "",
        }
        for entry in entries
    ]


def _write_pages(results: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of these datasets (by default of all), from their results."""
    from partbench.leaderboard.build import write_pages
    from partbench.results.store import load_results

    return write_pages(results.parent / "leaderboards", load_results(results, datasets=datasets))


@contextmanager
def _progress(workbench: Workbench) -> Iterator[Reporter]:
    from partbench.cli.console import Reporter

    with Reporter(1, quiet=False) as reporter:
        workbench.progress = reporter.progress
        yield reporter
