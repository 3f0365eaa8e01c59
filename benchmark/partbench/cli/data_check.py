"""Whether the data of a dataset can be used: folder, layout, counts, images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from partbench.errors import InputError, in_one_line, reason_of
from partbench.opening import Workbench
from partbench.plugin.dataset import Dataset, DatasetCard, ImageSet, Progress
from partbench.registry import Registry

SIDE = 64  # px of the images that are read to see whether they can be read
FIRST = 5  # broken images of a split that are named
UNNAMED = "name its folder with --data-root or `bench data add`"
Finding = dict[str, str]


def finding(name: str, status: str, found: str) -> Finding:
    """A row: what was looked at, a status (ok, note, absent or broken), and what was found."""
    return {"name": name, "status": status, "found": found}


def layout_finding(registry: Registry, name: str, data_root: Path | None) -> Finding:
    """Whether a dataset can be opened, in one row of that name, with the counts of its images and its warnings."""
    cls = registry.datasets[name].cls
    try:
        workbench = Workbench(registry, data_root)
        if cls.needs_root and workbench.root_of(name) is None:
            return finding(name, "absent", UNNAMED)
        size = registry.find("performers", cls.default_performer).cls.input_size
        dataset, rows = opened(workbench, name, size)
    except InputError as error:  # of the config file, or an unknown performer
        return finding(name, "broken", str(error))
    if dataset is None:
        return finding(name, "broken", rows[-1]["found"])
    notes = "".join(f"; {row['found']}" for row in rows if row["status"] == "note")
    return finding(name, "ok", f"{len(dataset.train)} train and {len(dataset.test)} test images at {size} px{notes}")


def examined(registry: Registry, name: str, data_root: Path | None, images: bool, progress: Progress) -> list[Finding]:
    """What a check of a dataset finds, row by row; with `images`, every image is read.

    Raises InputError for an unknown dataset and where no folder is named.
    """
    cls = registry.find("datasets", name).cls
    workbench = Workbench(registry, data_root)
    root = workbench.root_of(name)
    if cls.needs_root and root is None:
        raise InputError(f"no folder of {name} is known; {UNNAMED}")
    dataset, rows = opened(workbench, name, SIDE)
    where = finding("folder", "ok", str(root) if cls.needs_root else "none is needed")
    if dataset is None:
        return [where, *rows] if root is None or root.is_dir() else rows
    rows = [where, *rows, *count_findings(dataset, dataset.card)]
    if images:
        for split in ("train", "test"):
            rows.append(image_finding(split, getattr(dataset, split), progress))
    return rows


def opened(workbench: Workbench, name: str, size: int) -> tuple[Dataset | None, list[Finding]]:
    """A dataset, None where it cannot be opened; a row on its layout, after one for each warning."""
    dataset, broken = None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            dataset = workbench.dataset(name, size)
            counts = len(dataset.train), len(dataset.test)
        except InputError as error:
            broken = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # of a third party's dataset, which may call sys.exit
            dataset, broken = None, f"cannot be opened: {in_one_line(error)}"
    rows = [finding("note", "note", str(warning.message)) for warning in caught]
    if dataset is None or broken:
        return None, [*rows, finding("layout", "broken", broken)]
    return dataset, [*rows, finding("layout", "ok", f"{counts[0]:,} train and {counts[1]:,} test images")]


def count_findings(dataset: Dataset, card: DatasetCard | None) -> Iterator[Finding]:
    """Counts of images and categories beside those published; of both splits together where that count is published."""
    train, test = len(dataset.train), len(dataset.test)
    counts = {"images": train + test, "train": train, "test": test, "categories": len(dataset.categories)}
    for what, count in counts.items():
        published = getattr(card, what) if card else None
        if published is None and (what == "images" or not count):
            continue
        if published is None:
            yield finding(what, "ok", f"{count:,}; no count is published")
        else:
            status = "ok" if count == published else "note" if count < published else "broken"
            yield finding(what, status, f"{count:,}, published {published:,}")


def image_finding(split: str, images: ImageSet, progress: Progress) -> Finding:
    """Whether every image of a split can be read, and the first ones that cannot."""
    what, wrong = f"reading {split} images", []
    for row in range(len(images)):
        if fault := _fault(lambda row=row: images.batch([row])):  # type: ignore[misc]
            wrong.append(fault)
        progress(what, row + 1, len(images))
    if not wrong:
        return finding(f"{split} images", "ok", f"all {len(images):,} can be read")
    named = "; ".join(dict.fromkeys(wrong[:FIRST]))
    return finding(f"{split} images", "broken", f"{len(wrong):,} of {len(images):,} cannot be read: {named}")


def _fault(read: Callable[[], object]) -> str:
    try:
        read()
    except Exception as error:  # of a third party's dataset
        return reason_of(error)
    return ""
