"""Sets of rendered scenes: rendered when asked for, and kept on disk once they all are."""

from __future__ import annotations

import os
import platform
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Int
from torch import Tensor

from partbench import Batch, CacheItem, ImageSet, Progress, cache_folder, silent
from partbench.datasets.fauna.render import FAUNA_VERSION, render_many, rendered, stack
from partbench.datasets.fauna.vocabulary import FAUNA, Vocabulary

MANY = 64  # images from which on the whole split is rendered and kept
KEPT_SIDE = 128  # px up to which a split is kept on disk
TURN = 60.0  # seconds that a split waits for another one to be rendered


@dataclass
class FaunaSet(ImageSet):
    """Scenes 0 .. count - 1 of a seed at `size` px; `without` names parts left out of every rendering.

    A few images are rendered when asked for. When many are, the whole split is rendered once and kept in the cache
    folder, packed; `progress` is told how far that is. Small images that lack a part are kept in memory.
    """

    seed: int
    count: int
    size: int
    without: tuple[str, ...] = ()
    progress: Progress = field(default=silent, repr=False, compare=False)
    kind: ClassVar[str] = "fauna"
    scenes: ClassVar[dict[str, Any]] = {}  # options of `render`
    vocabulary: ClassVar[Vocabulary] = FAUNA
    has_removals = True
    _kept: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _drawn: dict[int, dict[str, np.ndarray]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lacking: dict[str, FaunaSet] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return self.count

    def __post_init__(self) -> None:
        numbers = f"{FAUNA_VERSION}-{self.seed}-{self.count}-{self.size}"
        self.fingerprint = f"{self.kind}-{numbers}{''.join(f'-{part}' for part in self.without)}"
        self.labels: Int[Tensor, "N"] = torch.arange(self.count) % len(self.vocabulary.categories)  # dealt in turn

    def batch(self, indices: Sequence[int]) -> Batch:
        """These scenes, with boxes, landmarks and part masks."""
        data = self._arrays(list(indices))
        suffix = "".join(f"-{part}" for part in self.without)
        images = torch.from_numpy(data["image"]).permute(0, 3, 1, 2).contiguous()
        return Batch(
            ids=tuple(f"{self.kind}/{self.seed}/{i}{suffix}" for i in indices),
            pixels=images.float() / 255,
            labels=torch.from_numpy(data["label"]).long(),
            boxes=torch.from_numpy(data["box"]).float(),
            landmarks=torch.from_numpy(data["landmarks"]).float(),
            masks=torch.from_numpy(data["masks"]),
        )

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The same scenes with one part not painted: what lies behind it appears, all other pixels stay.

        `part` is one of the vocabulary's part names, or as in `render`; where it cannot be seen, or the category lacks
        it, the image is the same to the bit. What the part holds floats. Ids differ from those of `batch`. Raises
        ValueError for a name that no category has.
        """
        if part not in self._lacking:
            without = (*self.without, part)
            self._lacking[part] = type(self)(self.seed, self.count, self.size, without, self.progress)
        return self._lacking[part].batch(indices)

    def _arrays(self, indices: list[int]) -> dict[str, np.ndarray]:
        item = CacheItem("fauna", self.fingerprint, ".npz")
        if not self._kept and self.size <= KEPT_SIDE and (len(indices) >= MANY or item.exists()):
            self._kept = item.once(_load, lambda: self._render_all(item), self.progress)
        if not self._kept:
            return self._few(indices)
        chosen = {name: values[indices] for name, values in self._kept.items()}
        masks = np.unpackbits(chosen["masks"], axis=-1, count=self.size).astype(bool)
        return chosen | {"masks": masks}

    def _few(self, indices: list[int]) -> dict[str, np.ndarray]:
        if not self.without or self.size > KEPT_SIDE:
            return render_many(self.seed, indices, self.size, without=self.without, **self.scenes)
        for index in indices:
            if index not in self._drawn:
                self._drawn[index] = render_many(self.seed, [index], self.size, without=self.without, **self.scenes)
        found = [self._drawn[index] for index in indices]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def _render_all(self, item: CacheItem) -> Path:
        samples = []
        options = {"without": self.without, **self.scenes}
        drawn = rendered(self.seed, range(self.count), self.size, os.cpu_count(), **options)
        with _in_turn(), closing(drawn):
            for sample in drawn:
                samples.append(sample)
                self.progress(f"rendering {self.kind}, seed {self.seed}", len(samples), self.count)
        arrays = stack(samples)
        arrays["masks"] = np.packbits(arrays["masks"], axis=-1)
        return item.write(lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


class OtherScenes(FaunaSet):
    """The same of scenes of no category: boxes and masks are empty, landmarks NaN, and no part can be left out."""

    has_removals = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.labels = torch.full((self.count,), len(self.vocabulary.categories))


@contextmanager
def _in_turn() -> Iterator[None]:
    """Wait, a minute at most, for other processes of this machine that render a split: each does so on all cores.

    Side by side all splits would be ready late; in turn, a network works on the first while the second is rendered.
    """
    lock = FileLock(cache_folder() / ".locks" / f"rendering-{platform.node()}.lock")
    with suppress(Timeout, OSError, NotImplementedError):  # of file systems without locks
        lock.acquire(timeout=TURN)
    try:
        yield
    finally:
        lock.release()


def _load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file. Raises ValueError if it holds none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
