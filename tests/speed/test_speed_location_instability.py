"""Location instability and its null against the same formulas filter by filter and image by image, in one run.

512 filters of 14 x 14 cells on 1000 images of 224 px with 3 landmarks, one thread. The maps are those of lite0's last
such layer on real photographs where they are at hand, else smooth noise; the landmarks are random, a tenth absent. The
loop runs over a few filters and its time is multiplied. The metric also gives the evidence of the images, the loop does
not.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from partbench import Batch, Explanation, InputError, PerformerOutputs, ReceptiveField
from partbench.datasets.animal_part import AnimalPart
from partbench.metrics.location_instability import LocationInstability
from partbench.performers.efficientnet_lite import Lite0

IMAGES, FILTERS, CELLS, SIZE, LANDMARKS, BATCH, TOP = 1000, 512, 14, 224, 3, 32, 100
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "animal-part"
GRID = ReceptiveField.tiling(CELLS, SIZE)
D = "location_instability"
SAMPLE = (0, 100, 200, 300, 400, 500)


def real_maps() -> Iterator[Tensor]:
    """Activations of 512 filters on photographs, batch by batch. Raises InputError without photographs or weights."""
    dataset = AnimalPart(PHOTOS, SIZE)
    performer = Lite0.open(SimpleNamespace(name="animal_part", categories=("cat",)), torch.device("cpu"))
    for start in range(0, IMAGES, BATCH):
        images = dataset.train.batch(range(start, min(start + BATCH, IMAGES))).pixels
        with torch.no_grad():
            yield performer.activations(images, ["target"])["target"][:, :FILTERS].contiguous()


def smooth_maps() -> Iterator[Tensor]:
    """Blurred noise, some of it dead."""
    for start in range(0, IMAGES, BATCH):
        noise = torch.randn(min(BATCH, IMAGES - start), FILTERS, CELLS, CELLS)
        yield (F.avg_pool2d(noise, 5, stride=1, padding=2) - 0.3).relu()


def all_maps() -> tuple[str, Iterator[Tensor]]:
    try:
        AnimalPart(PHOTOS, SIZE)
        Lite0.open(SimpleNamespace(name="animal_part", categories=("cat",)), torch.device("cpu"))
    except InputError:
        return "smooth noise", smooth_maps()
    return "photographs", real_maps()


def literal(maps: np.ndarray, marks: np.ndarray) -> tuple[float, float]:
    """D and its null for one filter: maps (n, h, w), marks (n, l, 2)."""
    centres = GRID.centres(CELLS).numpy()
    entries: list[list[tuple]] = [[] for _ in range(LANDMARKS)]
    present = ~np.isnan(marks).any(-1)
    for image in range(len(maps)):
        i, j = np.unravel_index(maps[image].argmax(), maps[image].shape)
        score = maps[image, i, j]
        for k in range(LANDMARKS):
            if score > 0 and present[image, k]:
                entries[k].append((-score, image, (centres[j], centres[i]), marks[image, k]))
    spreads, nulls = [], []
    for found in entries:
        best = sorted(found, key=lambda entry: entry[:2])[:TOP]
        if len(best) < 10:
            return math.nan, math.nan
        positions, points = (np.array([entry[part] for entry in best], dtype=float) for part in (2, 3))
        n = len(best)
        first = torch.randperm(n, generator=torch.Generator().manual_seed(0)).numpy()
        spreads.append(np.linalg.norm(positions - points, axis=1).std(ddof=1))
        shuffles = [np.linalg.norm(positions[np.roll(first, -s)] - points, axis=1).std(ddof=1) for s in range(n)]
        nulls.append(statistics.mean(shuffles))
    diagonal = math.hypot(SIZE, SIZE)
    return statistics.mean(spreads) / diagonal, statistics.mean(nulls) / diagonal


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_location_instability_with_evidence_is_ten_times_faster_than_loops_without_and_equal() -> None:
    torch.manual_seed(0)
    marks = torch.rand(IMAGES, LANDMARKS, 2) * SIZE
    marks[torch.rand(IMAGES, LANDMARKS) < 0.1] = torch.nan
    metric, updating, sampled, start = LocationInstability(), 0.0, [], 0
    source, batches = all_maps()
    for maps in batches:
        n = len(maps)
        logits = torch.zeros(n, 1)
        batch = Batch(
            tuple(map(str, range(n))), torch.zeros(n, 3, SIZE, SIZE), torch.zeros(n, dtype=torch.long),
            landmarks=marks[start : start + n],
        )  # fmt: skip
        outputs = PerformerOutputs(logits, torch.ones(n, dtype=torch.bool), 0, logits[:, 0], lambda images, c=logits: c)
        explanation = Explanation(maps, grid=GRID)
        started = time.perf_counter()
        metric.update(batch, explanation, outputs)
        updating += time.perf_counter() - started
        sampled.append(maps[:, list(SAMPLE)].numpy())
        start += n
    started = time.perf_counter()
    found = metric.compute()
    computing = time.perf_counter() - started
    chosen = np.concatenate(sampled).swapaxes(0, 1).copy()
    started = time.perf_counter()
    expected = [literal(maps, marks.numpy()) for maps in chosen]
    slow = (time.perf_counter() - started) * FILTERS / len(SAMPLE)
    values = [[found[name].values[f] for name in (D, f"{D}@shuffled")] for f in SAMPLE]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    fast = updating + computing
    alive = np.isfinite(found["location_instability"].values).mean()
    print(f"\n{source}, {alive:.0%} of the filters alive: {slow / fast:.1f} times faster")
    print(f"({updating:.2f} s of updates and {computing:.2f} s of computing against {slow:.1f} s)")
    assert slow / fast >= 10
