"""`bench verify`: cells are run again, and their values compared with those reported."""

from __future__ import annotations

import contextlib
import difflib
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.engines import cores
from partbench.cli.parameters import (
    data_root_option,
    jobs_option,
    json_option,
    other_option,
    path_option,
    results_option,
    time_limit_option,
)
from partbench.cli.verified_table import in_json, print_verifications
from partbench.errors import InputError
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    from partbench.results.bundle import Bundle
    from partbench.running.cell_job import Setting
    from partbench.running.crew import Crew
    from partbench.running.verification import Reported, Verification

START = "work"  # the folder in which workers start

trust_option = click.option(
    "--trust", is_flag=True, help="Run the code in the bundle, with your rights: read it first."
)
OPTIONS = (
    jobs_option, time_limit_option("A cell that takes longer fails."), path_option, data_root_option, other_option,
)  # fmt: skip


def verification_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of `verified_cells` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("what", metavar="BUNDLE|CELL|RESULTS")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Verify N cells drawn at random.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the sample.")
@click.option("--exact", is_flag=True, help="Values must be equal to the bit.")
@click.option("--all", "every", is_flag=True, help="Print the values of all metrics, not only those that differ.")
@trust_option
@verification_options
@json_option
@results_option
def verify(
    what: str, sample: int | None, seed: int, exact: bool, every: bool, trust: bool, as_json: bool, results: Path,
    **options: Any,
) -> None:  # fmt: skip
    """Run cells again, and compare all their values with those reported.

    BUNDLE: a file that `bench submit` made; RESULTS: a folder of results; CELL: a key, its beginning, or a Parquet
    file. Of a folder, cells that boards do not rank are left out (older ones, self-reported, withdrawn), and those that
    code and data here do not make, with a line for each reason; the last line says how many of all cells can be
    verified here. Each explainer is fitted anew, without the weights in the cache; new cells go to a temporary folder.
    Workers start in a folder of their own, and are told options and seeds, never the values reported.

    Values agree within the tolerances of docs/publishing.md; on the machine type that reported them they are expected
    to be equal. On another type of processor, networks are trained along another path: there a trained explainer
    whose values are as far off as those of another seed is "trained anew". A cell whose performer has other weights
    here, as one that was trained on another machine has, is not compared.

    A plugin runs with your rights. Code in a bundle runs only with --trust; with --plugin-file your own copy runs
    instead.

    Exit code 0: all cells that could be compared agree or were trained anew. 1: some do not, or none could be
    compared. 2: a mistake in the command, or a damaged bundle.

    \b
    Examples:
      bench verify mine.zip --trust
      bench verify 3fa9
      bench verify results --sample 20
    """
    from partbench.running.engine import interruptible

    coverage = ""
    with tempfile.TemporaryDirectory(prefix="partbench-") as temporary, interruptible():
        folder, path = Path(temporary), Path(what)
        if path.is_dir():
            cells, coverage = _sampled(path, folder, sample, seed, options)
        elif path.is_file() and path.suffix != ".parquet":
            from partbench.results.bundle import read_bundle

            found = read_bundle(path)
            options["files"] = code_of(found, folder, trust, options["files"])
            cells = reported_by(found, _drawn(found.places, sample, seed))
        else:
            cells = _cell(results, what)
        verifications = verified_cells(cells, folder, (path, results), options, quiet=as_json)
    if as_json:
        click.echo(json.dumps([in_json(one) for one in verifications], indent=1))
    else:
        print_verifications(verifications, every)
    if coverage:
        click.echo(coverage, err=as_json)
    if _failed(verifications, exact):
        sys.exit(1)


def _failed(verifications: Sequence[Verification], exact: bool) -> bool:
    """Whether a cell does not agree, with `exact` not to the bit, or none could be compared."""
    if any(one.refuted or (exact and not all(line.equal for line in one.lines)) for one in verifications):
        return True
    return bool(verifications) and all(one.state == "other weights" for one in verifications)


def verified_bundle(
    path: Path, bundle: Bundle, folder: Path, trust: bool, options: Mapping[str, Any]
) -> list[Verification]:
    """Verify all cells of the bundle in a file, with work in a folder; `options` as of `verification_options`."""
    files = code_of(bundle, folder, trust, options["files"])
    return verified_cells(reported_by(bundle, bundle.places), folder, [path], {**options, "files": files})


def code_of(bundle: Bundle, folder: Path, trust: bool, own: Sequence[Path]) -> list[Path]:
    """Write the sources of a bundle into a folder; the plugin files to load: the user's own, and others of the bundle.

    Files of roles go to where workers start, so that names of performers lead to them.

    Raises InputError where code of the bundle is needed that is not trusted.
    """
    bundle.roles_written(folder / START)
    names = {Path(path).name for path in own}
    needed = [path for path in bundle.sources_written(folder) if path.name not in names]
    if needed:
        listed = ", ".join(sorted(name for name in bundle.files if name.startswith("plugins/")))
        if not trust:
            raise InputError(
                f"the bundle brings code, which would run with your rights: {listed}; read it"
                " (`unzip -p BUNDLE 'plugins/*'`), then add --trust, or give your own copy with --plugin-file"
            )
        click.echo(f"bench: running code of the bundle with your rights: {listed}", err=True)
    return [*map(Path, own), *needed]


def reported_by(bundle: Bundle, places: Sequence[str]) -> Reported:
    """The rows of cells of a bundle. Its files are gone again before any of its code runs."""
    from partbench.running.verification import reported_in

    with tempfile.TemporaryDirectory(prefix="partbench-") as folder:
        return reported_in(bundle.cells_written(Path(folder)), places)


def verified_cells(
    cells: Reported, folder: Path, hidden: Sequence[Path], options: Mapping[str, Any], quiet: bool = False
) -> list[Verification]:
    """Verify cells in workers; new cells and weights go to a folder. Paths in `hidden` are kept from the workers.

    `options` as of `verification_options`.
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import Display
    from partbench.running.cell_job import prepare_results
    from partbench.running.verification import verified

    prepare_cache()
    prepare_results(folder / "results")
    count = min(options["jobs"] or cores(), max(1, len(cells)))
    with Display(quiet) as display, _crew(count, folder, hidden, options, display) as (crew, setting):
        display.total(len(cells), count)
        found = list(verified(cells, setting, crew))
    return sorted(found, key=lambda one: one.place)


@contextlib.contextmanager
def _crew(
    count: int, folder: Path, hidden: Sequence[Path], options: Mapping[str, Any], listener: Any = None
) -> Iterator[tuple[Crew, Setting]]:
    """Workers that verify, and what they share; `options` as of `verification_options`."""
    from partbench.running.cell_job import Limits, Setting
    from partbench.running.crew import Crew
    from partbench.running.worker_process import Surroundings

    where = [options[name] for name in ("files", "data_root", "other")]
    setting = Setting.at(folder / "results", *where, overwrite=True, weights=str(folder / "weights"))
    start = folder / START
    start.mkdir(exist_ok=True)
    limits = Limits(options["time_limit"], Limits.usual().memory)
    with Crew(count, limits, listener, Surroundings(start, tuple(hidden))) as crew:
        yield crew, setting


def _sampled(
    results: Path, folder: Path, sample: int | None, seed: int, options: Mapping[str, Any]
) -> tuple[Reported, str]:
    """Cells of a folder, drawn from those that can be verified here, and a line that says how many these are.

    Raises InputError if none can.
    """
    from partbench.leaderboard.ranked_cells import ranked_cells
    from partbench.running.verification import not_here, reported_in

    found = ranked_cells(results)
    for why, count in found.others.items():
        click.echo(f"bench: left out: {count} cells, {why}", err=True)
    with _crew(1, folder, [results], options) as (crew, setting):
        reasons = not_here(found.rows, setting, crew)
    for (dataset, reason), count in _counted(reasons).items():
        click.echo(printable(f"bench: left out: {count} cells in {dataset}: {reason}"), err=True)
    places = [str(file) for file in found.rows["file"] if file not in reasons]
    if not places and not found.unreadable:
        raise InputError(f"no cell in {results} can be verified here: {next(iter(reasons.values()))}")
    drawn = _drawn(sorted([*places, *found.unreadable]), sample, seed)
    run = "all of these" if set(places) <= set(drawn) else str(len(set(places) & set(drawn)))
    coverage = f"{len(places)} of the {found.total} cells in {results} can be verified here; {run} were run"
    return reported_in(results, drawn), coverage


def _counted(reasons: Mapping[str, str]) -> Counter[tuple[str, str]]:
    return Counter((place.partition("/")[0], reason) for place, reason in sorted(reasons.items()))


def _drawn(places: Sequence[str], sample: int | None, seed: int) -> Sequence[str]:
    if sample is None or sample >= len(places):
        return places
    return sorted(random.Random(seed).sample(places, sample))


def _cell(results: Path, what: str) -> Reported:
    """The cell that is named. Raises InputError, with what is near, if there is none."""
    from partbench.results.cell_names import located
    from partbench.running.verification import reported_in

    path = Path(what)
    if path.suffix == ".zip":
        raise InputError(f"no bundle '{path}'; `bench submit --out {path}` makes one")
    if not path.exists() and not results.is_dir():
        near = difflib.get_close_matches(path.name, [one.name for one in path.parent.glob("*")], n=1)
        hint = f"did you mean '{path.with_name(near[0])}'?" if near else "and no folder of results, see --results"
        raise InputError(f"no file or folder '{what}'; {hint}")
    root, place = located(results, what)
    return reported_in(root, [place])
