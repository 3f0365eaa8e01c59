"""Files, beside code, that the performers of submitted cells are made of: what a bundle carries, and what it refuses.

A file of roles (`layers=FILE`) is small, and is carried under the path that the performer's name has. Weights of a
performer that `bench performer train` made are carried up to a limit. Other files of weights are not carried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from partbench.errors import InputError
from partbench.names import performer_bases
from partbench.performer_folder import DESCRIPTION, MOST_ROLES, WEIGHTS

if TYPE_CHECKING:
    import pandas as pd

MOST_WEIGHTS = 20_000_000  # bytes of a trained performer's weights: bundles are committed
_RELATIVE = re.compile(r"(?!\.)[\w@+.=-]+(/(?!\.)[\w@+.=-]+)*\.toml", re.ASCII)


def trained_beside(file: Path) -> dict[str, Path]:
    """Description and weights of a trained performer by their names beside its plugin file; none for another file.

    Weights that are larger than a bundle carries are left out. Raises InputError for weights that are absent.
    """
    description, weights = file.with_name(DESCRIPTION), file.with_name(WEIGHTS)
    if not description.is_file():
        return {}
    if not weights.is_file():
        raise InputError(f"the performer of '{file}' has no weights {weights}; copy them there, or train it again")
    small = weights.stat().st_size <= MOST_WEIGHTS
    return {DESCRIPTION: description, **({WEIGHTS: weights} if small else {})}


def weights_in_words(file: Path) -> str:
    """Whether a bundle carries the weights beside the plugin file of a trained performer, and what to do if not."""
    weights = file.with_name(WEIGHTS)
    size = megabytes(weights.stat().st_size)
    if WEIGHTS in trained_beside(file):
        return f"the bundle carries the weights {weights}, {size}"
    return (
        f"the bundle does not carry the weights {weights}: {size}, and at most {megabytes(MOST_WEIGHTS)} are carried; "
        f"say where {file.parent.name}/ is to be had; whoever verifies gives its {file.name} with --plugin-file"
    )


@dataclass
class PerformerFiles:
    """What the performers of cells need beside code.

    `sources` are the plugin files given; `installed` gives the names of installed performers and is asked only for
    cells that name a performer. `carried` collects files of roles by their path, `notes` lines for the submitter.
    """

    sources: Sequence[Path]
    installed: Callable[[], Collection[str]] | None = None
    carried: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, row: pd.Series) -> None:
        """Take up what the performer of a cell needs. Raises InputError where nobody else could open it."""
        name = str(row["performer"])
        if not str(row["task"]).endswith(f"@{name}"):  # the default of the dataset, which is installed
            return
        self._expect_known(name)
        options = dict(_options(name))
        if roles := options.get("layers"):
            self.carried[roles] = _roles(roles, name)
        if (weights := options.get("weights", "random")) not in ("random", "pretrained"):
            self._note_weights(weights, name)

    def _expect_known(self, name: str) -> None:
        base, *others = performer_bases(name)
        named = any(base in _text(file) for source in self.sources for file in (source, source.with_name(DESCRIPTION)))
        if self.installed is not None and not named and not {base, *others} & set(self.installed()):
            raise InputError(
                f"its performer {base} is not installed, and no plugin file given names it; add --plugin-file FILE.py,"
                f" which is performers/{base}/performer.py for one that `bench performer train` made"
            )

    def _note_weights(self, weights: str, name: str) -> None:
        if Path(weights).name != weights:
            raise InputError(
                f"its performer {name} has weights from {weights}, which a bundle does not carry; move the file to "
                f"torch's folder of checkpoints, and run the cell with weights={Path(weights).name}"
            )
        note = (
            f"{name} needs the file {weights}, which the bundle does not carry: say where it is to be had; whoever "
            "verifies puts it into torch's folder of checkpoints"
        )
        if note not in self.notes:
            self.notes.append(note)


def megabytes(size: int) -> str:
    """A number of bytes in MB, as in "12.3 MB"."""
    return f"{size / 1e6:.1f} MB"


def expect_roles(name: str) -> None:
    """Raise InputError unless a file of roles has a name that a bundle may hold: a relative path to a .toml file."""
    if not _RELATIVE.fullmatch(name):
        raise InputError(
            f"a bundle carries a file of roles with a relative path in plain letters that ends in .toml, not '{name}'; "
            "copy it to one, as in layers=roles.toml, and run the cell again"
        )


def _roles(path: str, performer: str) -> bytes:
    expect_roles(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        found = error.strerror or error
        raise InputError(
            f"its performer {performer} reads {path}, which is not here ({found}); submit from the folder it ran in"
        ) from error
    if len(data) > MOST_ROLES:
        raise InputError(f"the file of roles {path} has {len(data)} bytes, expected at most {MOST_ROLES}")
    return data


def _options(performer: str) -> Iterator[tuple[str, str]]:
    for option in performer.split(",")[1:]:
        name, _, value = option.partition("=")
        yield name, value


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
