"""What a submitter sends: finished cells, the code of their explainers, and what was installed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from partbench.errors import InputError
from partbench.results.bundle import CELLS, LOCK, PLUGINS, ROLES, bundled
from partbench.results.cell_file import read_finished
from partbench.results.environment import distribution, lock, machine
from partbench.results.performer_files import PerformerFiles, trained_beside, weights_in_words
from partbench.results.provenance import file_digest, sources
from partbench.results.sealed import Damaged

MACHINE = ("host", "processor", "device", "threads", "torch_version", "partbench_version", "source_commit")


@dataclass(frozen=True)
class Submission:
    """The bytes of a bundle, the places of its cells, and by place why other cells were left out.

    `rows` has an aggregate row of each cell, as `cell_file.read_finished` gives them. `notes` say what the bundle
    carries or lacks of the weights of performers.
    """

    data: bytes
    places: Sequence[str]
    refused: Mapping[str, str]
    rows: pd.DataFrame
    notes: Sequence[str] = ()


def submission(
    results: Path, places: Sequence[str], files: Sequence[Path] = (),
    installed: Callable[[], Collection[str]] | None = None,
) -> Submission:  # fmt: skip
    """Bundle the cells at these places below a folder of results, with the code of their explainers.

    `files` are plugin files: those of the explainers, and others that the cells need, such as of a metric or of a
    performer. `installed` gives the names of installed performers; without it, any name is taken for one. A cell that
    failed, is damaged, was made by other code than that at hand, or has a performer that nobody else could open is left
    out. Raises InputError if none is left, for a file that is no Python, for weights that are not beside their plugin
    file, and for a bundle that would be too large. Equal arguments give equal bytes.
    """
    digests, needed = digests_of(files), PerformerFiles(files, installed)
    cells, frames, refused = {}, [], {}
    for place in sorted(set(places)):
        try:
            data = (results / place).read_bytes()
            rows = read_finished(results / place, place)
            _check_code(rows.iloc[0], digests)
            needed.add(rows.iloc[0])
        except (Damaged, InputError, OSError) as error:
            refused[place] = str(error)
            continue
        cells[f"{CELLS}/{place}"] = data
        frames.append(rows.iloc[:1])
    if not cells:
        why = next(iter(refused.items()), None)
        raise InputError("no cell to submit" + (f": {why[0]}: {why[1]}" if why else ""))
    named, code = _code(files)
    trained = _trained(named, files)
    code |= {name: path.read_bytes() for name, path in trained.items()}
    code |= {f"{ROLES}/{name}": data for name, data in needed.carried.items()}
    rows = pd.concat(frames, ignore_index=True)
    known, records = _distributions(rows)
    about = {"distributions": known, "machine": _machines(rows), "environment": machine()}
    data = bundled({**cells, **code, **records, LOCK: lock().encode()}, named, about)
    said = [weights_in_words(file) for file in sorted(set(files)) if trained_beside(file)]
    kept = [name.removeprefix(f"{CELLS}/") for name in cells]
    return Submission(data, kept, refused, rows, [*needed.notes, *said])


def digests_of(files: Sequence[Path]) -> dict[tuple[str, str], Path]:
    """Plugin files by name and digest. Raises InputError for one that is no Python."""
    found = {}
    for file in files:
        try:
            found[file.name, file_digest(file)] = file
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"cannot read the plugin file '{file}': {error}") from error
    return found


def _check_code(row: pd.Series, digests: Mapping[tuple[str, str], Path]) -> None:
    """Raise InputError for a cell whose explainer is not among the code at hand."""
    name, digest = str(row["distribution"]), str(row["plugin_digest"])
    if not name.endswith(".py"):
        installed = distribution(name)[0]["version"]
        if installed != row["plugin_version"]:
            raise InputError(f"{name} {row['plugin_version']} made it, {installed} is installed; run it again")
    elif (name, digest) not in digests:
        if any(file == name for file, _ in digests):
            raise InputError(f"the code in {name} has changed since; run it again")
        raise InputError(f"its explainer is in the file {name}; give this with --plugin-file")


def _code(files: Sequence[Path]) -> tuple[list[str], dict[str, bytes]]:
    """Names of plugin files in the bundle, and all sources by name."""
    named: list[str] = []
    found: dict[str, bytes] = {}
    for number, file in enumerate(sorted(set(files))):
        places = {f"{PLUGINS}/{number}/{place}": path for place, path in sources(file).items()}
        named += [place for place, path in places.items() if path == file]
        found |= {place: path.read_bytes() for place, path in places.items()}
    return named, found


def _trained(named: Sequence[str], files: Sequence[Path]) -> dict[str, Path]:
    """Descriptions and weights of trained performers, by name in the bundle: beside their plugin files."""
    return {
        f"{place.rpartition('/')[0]}/{name}": path
        for place, file in zip(named, sorted(set(files)), strict=True)
        for name, path in trained_beside(file).items()
    }


def _distributions(rows: pd.DataFrame) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What is known of the distributions of explainers, and their RECORDs by name in the bundle."""
    known, records = [], {}
    for name in sorted({str(name) for name in rows["distribution"] if not str(name).endswith(".py")}):
        about, text = distribution(name)
        place = f"distributions/{name}/RECORD"
        known.append({**about, "record": place})
        records[place] = text
    return known, records


def _machines(rows: pd.DataFrame) -> dict[str, list[str]]:
    """What the rows say of where they were made."""
    return {name: sorted({str(value) for value in rows[name].dropna()}) for name in MACHINE}
