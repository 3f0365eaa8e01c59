"""`bench submit`, `bench accept`, `bench withdraw`: results of others among those of a repository."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import completion_of, expect_results, results_option
from partbench.cli.verified_table import print_verifications
from partbench.cli.verify import trust_option, verification_options, verified_bundle
from partbench.errors import InputError
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    import pandas as pd

    from partbench.running.verification import Verification

by_option = click.option("--by", metavar="NAME", help="Who is responsible. Default: who git says you are.")


@click.command()
@click.argument("cells", nargs=-1, metavar="[CELL]...")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="NAME|FILE.py|PROJECT", shell_complete=completion_of("explainers"),
    help="All cells of an explainer, or of the explainers of a plugin file or project; may be repeated.",
)  # fmt: skip
@click.option(
    "--plugin-file", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE.py",
    help="A plugin file that the cells need, such as of their explainer or of a metric; may be repeated.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Bundle to write. Default: submission-DIGEST.zip."
)
@results_option
def submit(
    cells: tuple[str, ...], plugins: tuple[str, ...], files: tuple[Path, ...], out: Path | None, results: Path
) -> None:
    """Bundle finished cells, the code that made them and the versions installed, to submit them.

    CELL: a key, its beginning, or a Parquet file; without CELL and --plugin, all cells of the folder. A cell that
    failed or is damaged is left out, with a line that says why; then the exit code is 1. A line for each explainer says
    on which boards its rows will have a rank, and what they lack on others. Equal cells and code make equal bytes.
    Cells on a performer that `bench performer train` made need its performer.py as --plugin-file; the bundle carries
    weights of up to 20 MB. docs/publishing.md says what comes next.

    \b
    Examples:
      bench submit --plugin ./mine.py
      bench submit 3fa9 77c0 --plugin-file ./mine.py --out mine.zip
      bench submit --plugin nmf_concepts
    """
    from partbench.cli.project import file_or_name
    from partbench.results.submission import submission
    from partbench.whole_files import write_whole, writing

    named = [file_or_name(name) for name in plugins]
    own = [Path(name) for name in named if name.endswith(".py")]
    sources = [path.resolve() for path in (*own, *files)]
    made = submission(results, _places(results, cells, named), sources, _installed_performers)
    for place, reason in made.refused.items():
        click.echo(f"bench: left out: {printable(f'{place}: {reason}')}", err=True)
    for line in made.notes:
        click.echo(printable(f"bench: {line}"), err=True)
    for line in _coverage(made.rows):
        click.echo(printable(f"bench: {line}"), err=True)
    path = out or Path(f"submission-{hashlib.sha256(made.data).hexdigest()[:12]}.zip")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, made.data)
    count = len(made.places)
    click.echo(f"{path}: {count} cell{'s' * (count != 1)}, {len(made.data) / 1e6:.2f} MB")
    if made.refused:
        sys.exit(1)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--verify/--self-reported", "verify", default=True, show_default=True,
    help="Accept the values of a verification done now, or those reported, which have no rank.",
)  # fmt: skip
@click.option("--reason", default="", metavar="TEXT", help="A remark for the history, such as a pull request.")
@by_option
@trust_option
@verification_options
@results_option
def accept(bundle: Path, verify: bool, reason: str, by: str | None, trust: bool, results: Path, **options: Any) -> None:
    """Put the cells of a BUNDLE among the results, and note in results/submissions.csv who did so, and as what.

    By default the cells are run again (see `bench verify`). If all agree, the new cells are accepted as verified, so
    that boards rank the values found here. With --self-reported the reported cells are accepted as they are: pages
    show them with a mark, below the others and without a rank.

    \b
    Examples:
      bench accept submissions/mine.zip --trust
      bench accept submissions/mine.zip --self-reported --reason 'needs 400 GPU hours'
    """
    from partbench.results.acceptance import accept, contents, expect_new
    from partbench.results.bundle import read_bundle
    from partbench.results.provenance import who
    from partbench.results.sealed import Damaged
    from partbench.results.submission import digests_of
    from partbench.results.submission_history import SELF_REPORTED, VERIFIED
    from partbench.running.cell_job import prepare_results
    from partbench.running.engine import interruptible

    read = read_bundle(bundle)
    prepare_results(results)
    status = VERIFIED if verify else SELF_REPORTED
    expect_new(results, read.places, status, read.sha256)  # before a verification that may take hours
    with tempfile.TemporaryDirectory(prefix="partbench-") as temporary, interruptible():
        folder = Path(temporary)
        if verify:
            before = contents(results)
            verifications = verified_bundle(bundle, read, folder, trust, options)
            print_verifications(verifications)
            if any(one.refuted for one in verifications):
                click.echo("nothing was accepted")
                sys.exit(1)
            if changed := sorted(name for name, _ in before.items() ^ contents(results).items()):
                raise InputError(
                    f"{changed[0]} in {results} changed while the bundle ran; nothing was accepted: see what changed it"
                )
            files = {one.place: _as_compared(one) for one in verifications}
        else:
            try:
                _expect_finished(read.cells_written(folder), read.places, digests_of(read.sources_written(folder)))
            except Damaged as error:
                raise InputError(f"'{bundle}' is refused: {error}") from error
            files = {place: read.files[name] for place, name in zip(read.places, read.cells, strict=True)}
        accepted = accept(results, files, status, by or who(), read.sha256, reason)
    for event in accepted:
        click.echo(f"{event.file}: {event.status}")
    count = len(accepted)
    click.echo(f"{count} cell{'s' * (count != 1)} accepted; `bench leaderboard` shows {'them' if count != 1 else 'it'}")


@click.command()
@click.argument("cell")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the history.")
@by_option
@results_option
def withdraw(cell: str, reason: str, by: str | None, results: Path) -> None:
    """Withdraw a row: the CELL leaves the boards; its history stays on the page and in submissions.csv.

    \b
    Example:
      bench withdraw 3fa9 --reason 'the training set held test images'
    """
    from partbench.results.acceptance import withdraw
    from partbench.results.provenance import who

    if not reason.strip():
        raise InputError("--reason is empty; say in a few words why the row is withdrawn")
    (place,) = _places(results, (cell,), ())
    event = withdraw(results, place, by or who(), reason)
    click.echo(f"{event.cell} is withdrawn; `bench leaderboard` shows it in the history of its board")


def _installed_performers() -> set[str]:
    from partbench.catalogue import catalogue

    return {plugin.name for plugin in catalogue().of("performers")}


def _coverage(rows: pd.DataFrame) -> Iterator[str]:
    """On which boards the rows will and will not be; boards have the tasks of all published results."""
    from partbench.leaderboard.coverage import coverage_lines, tasks_by_board
    from partbench.results.reference.cells import Reference

    try:
        reference = Reference.load()
        published, carried = reference.published_tasks, set(reference.rows["task"])
    except (OSError, ValueError):
        published, carried = [], set()
    return coverage_lines(rows, tasks_by_board(published), tasks_by_board(carried))


def _as_compared(one: Verification) -> bytes:
    """The bytes of a verified cell. Raises InputError if they are not those that were compared."""
    data = b"" if one.found is None else one.found.read_bytes()
    if hashlib.sha256(data).hexdigest() != one.sha256:
        raise InputError(f"{one.place} was changed after it had been verified, by code that ran; nothing was accepted")
    return data


def _expect_finished(results: Path, places: Sequence[str], code: Collection[tuple[str, str]]) -> None:
    """Raise Damaged for a cell that is not finished, or of a plugin file whose name and digest are not in `code`."""
    from partbench.results.cell_file import read_finished
    from partbench.results.sealed import Damaged

    for place in places:
        try:
            row = read_finished(results / place, place).iloc[0]
        except Damaged as error:
            raise Damaged(f"{place}: {error}") from error
        made_by = str(row["distribution"]), str(row["plugin_digest"])
        if made_by[0].endswith(".py") and made_by not in code:
            raise Damaged(f"{place}: the bundle lacks the code of its explainer, {' with digest '.join(made_by)}")


def _places(results: Path, cells: Sequence[str], plugins: Sequence[str]) -> list[str]:
    """Where cells lie below the folder of results. Raises InputError if there are none."""
    from partbench.results.cell_names import place_of
    from partbench.results.folders import cell_paths
    from partbench.results.store import load_results

    expect_results(results)
    if not cells and not plugins:
        every = [path.relative_to(results).as_posix() for path in cell_paths(results)]
        return every or _none(results)
    places = [place_of(results, text) for text in cells]
    if plugins:
        rows = load_results(results).drop_duplicates("cell")
        for plugin in plugins:
            places += _of_plugin(rows, plugin) or _none(results, f" of {plugin}")
    return places


def _of_plugin(rows: pd.DataFrame, plugin: str) -> list[str]:
    column, name = ("distribution", Path(plugin).name) if plugin.endswith(".py") else ("explainer", plugin)
    return [str(file) for file in rows.loc[rows[column] == name, "file"]]


def _none(results: Path, which: str = "") -> list[str]:
    raise InputError(f"no cell{which} in {results}; run `bench run` first, or name another folder with --results")
