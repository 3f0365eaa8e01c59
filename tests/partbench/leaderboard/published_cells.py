"""Own cells in a folder, and published ones beside it, with planted values of images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from partbench.results.reference.cells import FINGERPRINT, KEPT, Reference, write_reference
from partbench.results.schema import Cell
from partbench.results.store import load_with_evidence, write_cell

DATA = "f00d"
IMAGES = 40


class Planted(NamedTuple):
    """A cell of an explainer on `fauna/multi:cat`: its mean, changes of its identity, the digest of its performer."""

    explainer: str
    mean: float
    control: str = ""
    seed: int = 0
    metrics: tuple[str, ...] = ("accuracy",)
    version: str = "1"
    changes: dict[str, Any] = {}
    digest: str = ""


def write(folder: Path, planted: Iterable[Planted]) -> list[Path]:
    return [_write(folder, one) for one in planted]


def _write(folder: Path, one: Planted) -> Path:
    identity = {
        "explainer": one.explainer, "distribution": "partbench", "plugin_version": "1", "options": {"k": 1},
        "task": "fauna/multi:cat", "task_version": "1", "dataset": "fauna", "category": "cat",
        "performer": "small_vgg", "data_fingerprint": DATA, "seed": one.seed,
    }  # fmt: skip
    cell = Cell(**{**identity, **one.changes})
    noise = np.random.default_rng(len(one.explainer) + one.seed).normal(0, 0.02, IMAGES)
    values = one.mean + noise - noise.mean() + 0.001 * one.seed
    usual = {
        "run_id": "r", "created_at": pd.Timestamp("2024-05-01", tz="UTC"), "partbench_version": "1", "variant": "",
        "metric_version": one.version, "status": "ok", "higher_is_better": True, "images": IMAGES,
        "control": one.control, "low_bound": 0.0, "high_bound": 1.0, "deterministic": False, "network": "",
        "performer_digest": one.digest,
    }  # fmt: skip
    rows = []
    for metric in one.metrics:
        rows.append({**usual, "metric": metric, "unit": "all", "value": values.mean()})
        rows += [
            {**usual, "metric": metric, "unit": f"image-{place}", "unit_kind": "image", "value": value}
            for place, value in enumerate(values)
        ]
    return write_cell(folder, rows, cell)


def published(folder: Path, planted: Iterable[Planted], verdicts: dict[str, str]) -> Reference:
    write(folder / "theirs", planted)
    rows, images = load_with_evidence(folder / "theirs")
    (folder / "reference").mkdir()
    uses = pd.DataFrame(
        [(name, "fauna", word) for name, word in verdicts.items()], columns=["metric", "dataset", "verdict"]
    )
    write_reference(folder / "reference", rows[list(KEPT)].assign(**{FINGERPRINT: DATA}), images, uses)
    return Reference.load(folder / "reference")


def own(folder: Path, planted: Iterable[Planted]) -> tuple[pd.DataFrame, pd.DataFrame]:
    write(folder / "mine", planted)
    rows, images = load_with_evidence(folder / "mine")

    return rows, images
