"""The folder of a trained performer: its plugin file, description, weights and card."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from partbench.errors import InputError
from partbench.performer_folder import CODE, DESCRIPTION, WEIGHTS
from partbench.running.training.checkpoint import FILE, State
from partbench.running.training.space import LOCK
from partbench.whole_files import write_whole

PLUGIN = '''"""{name}: {network}, trained on {task} by `bench performer train`; card.md says how well it does."""

from pathlib import Path

from partbench import hookimpl, trained_performer


@hookimpl
def register_performers(register):
    register(trained_performer(Path(__file__).parent))
'''


def keep(folder: Path, unfinished: Path, description: Mapping[str, Any], weights: State, card: str) -> None:
    """Write all files into the folder of the checkpoint, then give it its name: the performer is there whole, or not.

    Raises InputError where the name was taken in the meantime, and OSError.
    """
    plugin = PLUGIN.format(**description)
    texts = {DESCRIPTION: toml(description), "card.md": card, CODE: plugin}
    write_whole(unfinished / WEIGHTS, save(weights))
    for name, text in texts.items():
        write_whole(unfinished / name, text.encode())
    for name in (FILE, LOCK):
        (unfinished / name).unlink(missing_ok=True)
    try:
        os.rename(unfinished, folder)
    except OSError as error:
        raise InputError(f"{unfinished} cannot be renamed to {folder}: {error.strerror}; rename it yourself") from error


def toml(table: Mapping[str, Any]) -> str:
    """A table of texts, numbers, lists and tables of these; what is None is left out."""
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, Mapping | None)]
    tables = [f"\n[{key}]\n{toml(value)}" for key, value in table.items() if isinstance(value, Mapping)]
    return "\n".join([*plain, *tables]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)  # texts, numbers and truth values are written alike in TOML
