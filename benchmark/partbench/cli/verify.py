"""`bench verify`: cells are run again, and their values compared with those reported."""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
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
from partbench.errors import InputError
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    from partbench.results.agreement import ComparedValue
    from partbench.results.bundle import Bundle
    from partbench.running.cell_job import Limits, Setting
    from partbench.running.verification import Verification

FEW = 2  # cells of which all values are shown
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
    file. Of a folder, four kinds of cells are left out, with a line that says how many: of older code, self-reported,
    withdrawn, and of datasets that are not here (--data-root). Each explainer is fitted anew, without the weights in
    the cache; new cells go to a temporary folder.

    Values agree within the tolerances of docs/publishing.md; on the machine type that reported them they are expected
    to be equal.

    A plugin runs with your rights. Code in a bundle runs only with --trust; with --plugin-file your own copy runs
    instead.

    Exit code 0: all values agree. 1: some do not. 2: a mistake in the command, or a damaged bundle.

    \b
    Examples:
      bench verify mine.zip --trust
      bench verify 3fa9
      bench verify results --sample 20
    """
    from partbench.running.engine import interruptible

    with tempfile.TemporaryDirectory(prefix="partbench-") as temporary, interruptible():
        folder, path = Path(temporary), Path(what)
        if path.is_dir():
            root = path
            places = _with_data(path, _places_in(path), folder, options)
        elif path.is_file() and path.suffix != ".parquet":
            from partbench.results.bundle import read_bundle

            found = read_bundle(path)
            options["files"] = code_of(found, folder, trust, options["files"])
            root, places = folder / "results", found.places
        elif path.suffix == ".zip":
            raise InputError(f"no bundle '{path}'; `bench submit --out {path}` makes one")
        else:
            root, place = _cell(results, what)
            places = [place]
        if sample is not None and sample < len(places):
            places = sorted(random.Random(seed).sample(places, sample))
        verifications = verified_cells(root, places, folder / "again", quiet=as_json, **options)
    if as_json:
        click.echo(json.dumps([_in_json(one) for one in verifications], indent=1))
    else:
        print_verifications(verifications, every or len(verifications) <= FEW)
    if not all(one.within and (not exact or all(line.equal for line in one.lines)) for one in verifications):
        sys.exit(1)


def verified_bundle(bundle: Bundle, folder: Path, trust: bool, options: Mapping[str, Any]) -> list[Verification]:
    """Verify all cells of a bundle, which is written into a folder; `options` are those of `verification_options`."""
    files = code_of(bundle, folder, trust, options["files"])
    return verified_cells(folder / "results", bundle.places, folder / "again", **{**options, "files": files})


def code_of(bundle: Bundle, folder: Path, trust: bool, own: Sequence[Path]) -> list[Path]:
    """Write a bundle into a folder; the plugin files to load: the user's own, and those of the bundle beside them.

    Raises InputError where code of the bundle is needed that is not trusted.
    """
    bundle.written(folder)
    names = {Path(path).name for path in own}
    needed = [folder / name for name in bundle.plugins if Path(name).name not in names]
    if needed:
        listed = ", ".join(sorted(name for name in bundle.files if name.startswith("plugins/")))
        if not trust:
            raise InputError(
                f"the bundle brings code, which would run with your rights: {listed}; read it (`unzip -p`), then add"
                " --trust, or give your own copy with --plugin-file"
            )
        click.echo(f"bench: running code of the bundle with your rights: {listed}", err=True)
    return [*map(Path, own), *needed]


def verified_cells(
    results: Path, places: Sequence[str], again: Path, jobs: int | None = None, quiet: bool = False, **options: Any
) -> list[Verification]:
    """Verify cells at these places below a folder of results, in workers; new cells and weights go to `again`."""
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import Display
    from partbench.running.cell_job import prepare_results
    from partbench.running.verification import verified

    prepare_cache()
    prepare_results(again / "results")
    setting, limits = _setting(again, **options)
    count = jobs or cores()
    with Display(quiet) as display:
        display.total(len(places), min(count, len(places)))
        found = list(verified(results, places, setting, count, limits, display))
    return sorted(found, key=lambda one: one.place)


def _setting(
    again: Path, files: Sequence[Path] = (), time_limit: float | None = None, data_root: Path | None = None,
    other: Path | None = None,
) -> tuple[Setting, Limits]:  # fmt: skip
    from partbench.running.cell_job import Limits, Setting

    more = {"overwrite": True, "weights": str(again / "weights")}
    setting = Setting.at(again / "results", files, data_root, other, **more)
    return setting, Limits(time_limit, Limits.usual().memory)


def _with_data(results: Path, places: Sequence[str], folder: Path, options: Mapping[str, Any]) -> list[str]:
    """The cells of datasets that can be opened here; the others are told in a line for each dataset.

    Raises InputError if none can.
    """
    from partbench.running.verification import without_data

    setting, limits = _setting(folder / "again", **{name: one for name, one in options.items() if name != "jobs"})
    absent = without_data(results, places, setting, limits)
    for dataset, reason in absent.items():
        count = sum(place.startswith(f"{dataset}/") for place in places)
        click.echo(f"bench: not verified: {count} cells in {dataset}: {printable(reason)}", err=True)
    found = [place for place in places if place.partition("/")[0] not in absent]
    if not found:
        raise InputError(f"no cell in {results} can be verified here: {next(iter(absent.values()))}")
    return found


def print_verifications(verifications: Sequence[Verification], every: bool) -> None:
    """A table of the values that differ, or with `every` of all metrics, and a line for each cell."""
    from partbench.cli.tables import print_table

    rows = [
        _shown(one, line) for one in verifications for line in one.lines if not line.within or (every and line.main)
    ]
    if rows:
        print_table("", rows)
    for one in verifications:
        click.echo(printable(f"{one.label}: {_summary(one)}"))
    good = sum(one.within for one in verifications)
    click.echo(f"{good} of {len(verifications)} cells agree with what was reported")


def _summary(one: Verification) -> str:
    if one.fault:
        return f"not verified, {one.fault}"
    outside, equal = sum(not line.within for line in one.lines), sum(line.equal for line in one.lines)
    if outside:
        return f"{outside} of {len(one.lines)} values do not agree"
    if equal == len(one.lines):
        return f"all {equal} values are equal to the bit"
    where = "though host, device and torch are the same" if one.machine else "on another machine type"
    return f"all {len(one.lines)} values agree, {equal} to the bit, {where}"


def _shown(one: Verification, line: ComparedValue) -> dict[str, Any]:
    return {
        "cell": Path(one.place).stem, "metric": line.what, "reported": _number(line.reported),
        "found": _number(line.found), "difference": _number(line.difference), "allowed": _number(line.tolerance),
        "within": "equal" if line.equal else "yes" if line.within else "NO",
    }  # fmt: skip


def _number(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"


def _in_json(one: Verification) -> dict[str, Any]:
    from partbench.results.json_values import in_json

    lines = [{name: in_json(value) for name, value in vars(line).items()} for line in one.lines]
    return {"cell": one.place, "label": one.label, "within": one.within, "fault": one.fault, "values": lines}


def _places_in(folder: Path) -> list[str]:
    """The cells of a folder that boards rank, and files that cannot be read; of the others, how many is told."""
    from partbench.leaderboard.current import current
    from partbench.results.folders import cell_paths
    from partbench.results.store import load_results

    every = [path.relative_to(folder).as_posix() for path in cell_paths(folder)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be read is told as not verified
        rows = load_results(folder)
    used = set(rows.loc[rows["cell"].isin(set(current(rows)["cell"])), "file"])
    others = set(rows["file"]) - used
    found = [place for place in every if place not in others]
    if others:
        click.echo(f"bench: left out: {len(others)} cells of older code, self-reported or withdrawn", err=True)
    if not found:
        raise InputError(f"no cells in {folder} that boards rank; expected a folder of results")
    return found


def _cell(results: Path, text: str) -> tuple[Path, str]:
    """The folder of results that a cell is in, and its place there."""
    from partbench.results.schema import cell_path
    from partbench.results.store import find_cell

    place = cell_path(Path(), find_cell(results, text)).as_posix()
    if not text.endswith(".parquet"):
        return results, place
    path = Path(text).resolve()
    if not path.as_posix().endswith(f"/{place}"):
        raise InputError(f"'{text}' does not lie where its rows say, at {place} below a folder of results")
    return path.parents[2], place
