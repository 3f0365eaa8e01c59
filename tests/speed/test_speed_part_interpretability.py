"""Part interpretability of a large layer against one filter and one image at a time, in one run.

512 filters, 1000 images of 224 px, 14 x 14 cells, 4 parts. The literal loop runs over a few filters on all images and
its time is scaled to all filters; the scores of those filters must be equal. Maps are smooth noise after a ReLU, the
later the filter the brighter at its part. What the metric keeps and takes is held to under 1 GB. Run with
`pytest benchmarks/speed/test_speed_part_interpretability.py -s`.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from partbench import Batch, Explanation, PerformerOutputs
from partbench.metrics.part_interpretability import PartInterpretability

IMAGES, FILTERS, CELLS, SIZE, PARTS, BATCH = 1000, 512, 14, 224, 4, 50
SAMPLE = range(0, FILTERS, 64)


def scene(rng):
    """Maps (n, k, h, w), each the later the brighter at its part, and the masks (n, p, H, W) of a batch: disks."""
    centres = rng.uniform(30, SIZE - 30, (BATCH, PARTS, 2))
    y, x = np.ogrid[:SIZE, :SIZE]
    squares = (y - centres[..., 0, None, None]) ** 2 + (x - centres[..., 1, None, None]) ** 2
    cells = squares[:, :, 8::16, 8::16][:, np.arange(FILTERS) % PARTS]
    noise = gaussian_filter(rng.normal(size=cells.shape).astype(np.float32), (0, 0, 1.5, 1.5))
    strength = np.linspace(0, 1, FILTERS)[:, None, None]
    maps = np.maximum(noise + strength * np.exp(-cells / 500), 0).astype(np.float32)
    radii = rng.uniform(15, 30, (BATCH, PARTS, 1, 1))
    return torch.from_numpy(maps), torch.from_numpy(squares < radii**2)


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [scene(rng) for _ in range(IMAGES // BATCH)]


def literal(maps, rows, columns, masks):
    """P_f of one filter from its maps (n, h, w)."""
    threshold = np.quantile(maps, 1 - 0.005, method="inverted_cdf")
    associated = np.zeros((len(maps), PARTS))
    for i, image in enumerate(maps):
        region = rows @ image @ columns.T > threshold
        for k, mask in enumerate(masks[i]):
            associated[i, k] = (region & mask).sum() / (region | mask).sum() > 0.2
    return associated.mean(0).max()


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_bytes():
    """What the process holds now; where that cannot be read, the most it ever held."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else peak_bytes()


def measured(scenes):
    """All scores of the metric."""
    logits = torch.zeros(BATCH, 2)
    outputs = PerformerOutputs(logits, torch.ones(BATCH, dtype=torch.bool), 0, logits[:, 0], lambda images: logits)
    images, labels = torch.zeros(BATCH, 3, SIZE, SIZE), torch.zeros(BATCH, dtype=torch.long)
    metric = PartInterpretability(region="upsampled")
    for number, (maps, masks) in enumerate(scenes):
        batch = Batch(tuple(f"{number}/{i}" for i in range(BATCH)), images, labels, masks=masks)
        metric.update(batch, Explanation(maps), outputs)
    return metric.compute()


def timed(work):
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def test_part_interpretability_is_twenty_times_faster_than_the_loop_and_equal_in_under_a_gigabyte(scenes):
    rows, columns = (matrix.numpy() for matrix in Explanation(scenes[0][0]).upsampling(SIZE, SIZE))
    masks = np.concatenate([masks.numpy() for _, masks in scenes])
    maps = [np.concatenate([part[:, f].numpy() for part, _ in scenes]) for f in SAMPLE]
    half = len(SAMPLE) // 2
    # one half of the loop before and one after, so that a busy machine slows both contestants alike
    early, slow_early = timed(lambda: [literal(part, rows, columns, masks) for part in maps[:half]])
    before = resident_bytes()
    scores, fast = timed(lambda: measured(scenes))
    memory = peak_bytes() - before
    late, slow_late = timed(lambda: [literal(part, rows, columns, masks) for part in maps[half:]])

    slow = (slow_early + slow_late) * FILTERS / len(SAMPLE)
    values = np.asarray(scores["part_interpretability"].values)
    print(f"\npart_interpretability: {slow / fast:.1f} times faster ({fast:.1f} s against {slow:.0f} s, extrapolated)")
    print(f"mean over filters {values.mean():.3f}; at most {memory / 1e6:.0f} MB kept and taken")
    np.testing.assert_array_equal(values[list(SAMPLE)], early + late)
    assert values.std() > 0.01
    assert memory < 1e9
    assert slow / fast >= 20
