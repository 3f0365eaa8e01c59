"""Reading photographs, the layers that are stored, and opening a folder, against the plain ways, in one run."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from partbench import read_pixels
from partbench.datasets.animal_part import AnimalPart
from partbench.datasets.random_photographs import halves

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "animal-part"
IMAGES, CHUNK, ROUNDS = 128, 32, 3
CPU = torch.device("cpu")

# Peak of memory without pages of files, in MB, of storing maps as large as lite0's of so many images.
STORING = """
import sys, torch
from pathlib import Path
from torch import nn
from partbench import Activations, Batch, Dataset, ImageSet, Performer
torch.set_num_threads(1)
class Blank(ImageSet):
    def __init__(self, count): self.labels, self.fingerprint = torch.zeros(count, dtype=torch.long), str(count)
    def __len__(self): return len(self.labels)
    def batch(self, rows):
        return Batch(tuple(map(str, rows)), torch.zeros(len(rows), 3, 14, 14), self.labels[list(rows)])
class Blanks(Dataset):
    name = "blanks"
    def __init__(self, count): self.size, self.train, self.test = 14, Blank(count), Blank(count + 1)
stages = {"target": nn.Conv2d(3, 672, 1), "logits": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}
performer = Performer("wide", "1", 14, stages, {}, ("a",), {"a": 0}, "wide")
Activations(Blanks(int(sys.argv[1])), performer, Path(sys.argv[2])).of_split("train", "target")
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024 - int(status["RssFile"].split()[0]) // 1024)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of the usual size, as smooth as photographs."""
    folder, drawn = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number in range(2 * IMAGES):
        coarse = drawn.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def rate(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return IMAGES / (time.perf_counter() - started)


@pytest.mark.usefixtures("one_thread")
def test_reading_ahead_hides_the_reading_behind_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(3, 24, 7, 4), nn.ReLU(), nn.Conv2d(24, 24, 3, 2), nn.ReLU()).requires_grad_(False)
    chunks = [range(start, start + CHUNK) for start in range(0, IMAGES, CHUNK)]

    def read(threads: int) -> Iterator[torch.Tensor]:
        monkeypatch.setenv("PARTBENCH_READING_THREADS", str(threads))
        return read_pixels(halves(folder, 224)[0], chunks, CPU)  # opened anew: nothing is remembered

    pixels = list(read(1))
    works: dict[str, Callable[[], object]] = {
        "reading alone": lambda: list(read(1)),
        "network alone": lambda: [network(some) for some in pixels],
        "one after the other": lambda: [network(some) for some in read(1)],
        "ahead": lambda: [network(some) for some in read(2)],
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            rates[name].append(rate(work))
    best = {name: max(found) for name, found in rates.items()}
    print("\nimages/s: " + ", ".join(f"{name} {value:.0f}" for name, value in best.items()))
    assert best["ahead"] >= 1.2 * best["one after the other"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak of memory")
def test_memory_for_storing_a_wide_map_does_not_grow_with_the_images(tmp_path: Path) -> None:
    peaks = {}
    for count in (64, 512):
        command = [sys.executable, "-c", STORING, str(count), str(tmp_path / str(count))]
        peaks[count] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"\npeak of memory: {peaks[64]} MB with 64 images (34 MB stored), {peaks[512]} MB with 512 (270 MB)")
    assert peaks[512] <= peaks[64] + 64


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no photographs beside the repository")
def test_opening_animal_part_again_takes_at_most_a_third_of_the_cpu_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    taken = []
    for _ in range(2):
        before = cpu_seconds()
        AnimalPart(PHOTOS, 224)
        taken.append(cpu_seconds() - before)
    print(f"\nopening animal_part: {taken[0]:.2f} s of CPU time the first time, then {taken[1]:.2f} s")
    assert 3 * taken[1] <= taken[0]


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
