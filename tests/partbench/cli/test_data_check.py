"""What a check of a dataset finds, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from partbench import Dataset, DatasetCard, InputError
from partbench.cli.data_check import count_findings, examined, image_finding, layout_finding
from partbench.plugin.dataset import ImageSet, silent
from partbench.registry import Entry, Registry, load


class Patchy(ImageSet):
    """A split whose images 1 and 3 cannot be read."""

    def __len__(self) -> int:
        return 4

    def batch(self, indices: Any) -> Any:
        if indices[0] % 2:
            raise (InputError if indices[0] == 1 else OSError)(f"image {indices[0]} is torn")
        return None


class Sick(Dataset):
    """A dataset that calls exit."""

    name: ClassVar[str] = "sick"
    default_performer: ClassVar[str] = "small_vgg"

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        raise SystemExit(3)


def registry_with(cls: type[Dataset]) -> Registry:
    found = load()
    return replace(found, datasets=found.datasets | {cls.name: Entry(cls.name, cls, "o", "d", "1")})


def test_every_image_is_read_and_those_that_cannot_be_are_named() -> None:
    told: list[tuple[int, int]] = []
    row = image_finding("test", Patchy(), lambda what, done, total: told.append((done, total)))
    assert row["status"] == "broken"
    assert row["found"] == "2 of 4 cannot be read: image 1 is torn; OSError: image 3 is torn"
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(("published", "status"), [(4, "ok"), (5, "note"), (3, "broken"), (None, "ok")])
def test_fewer_images_than_published_are_a_note_and_more_are_broken(published: int | None, status: str) -> None:
    class Counted(Dataset):
        """Four images in each split."""

        train = test = Patchy()

    rows = list(count_findings(Counted(), DatasetCard("s", "1 MB", "l", "c", train=published)))
    assert [row["name"] for row in rows] == ["train", "test"]
    assert rows[0]["status"] == status
    both = list(count_findings(Counted(), DatasetCard("s", "1 MB", "l", "c", images=published and 2 * published)))
    assert [row["name"] for row in both] == ["images"] * (published is not None) + ["train", "test"]
    assert both[0]["status"] == status


def test_a_dataset_that_ends_the_process_is_broken_and_the_check_goes_on() -> None:
    rows = examined(registry_with(Sick), "sick", None, True, silent)
    assert [row["name"] for row in rows] == ["folder", "layout"]
    assert rows[-1]["found"] == "cannot be opened: SystemExit: 3"
    assert layout_finding(registry_with(Sick), "sick", None)["found"] == "cannot be opened: SystemExit: 3"


def test_embedded_data_are_checked_and_those_without_a_folder_are_absent() -> None:
    rows = {row["name"]: row for row in examined(load(), "fauna", None, False, silent)}
    assert rows["train"] == {"name": "train", "status": "ok", "found": "1,800, published 1,800"}
    assert layout_finding(load(), "celeba", None)["status"] == "absent"
    with pytest.raises(InputError, match="no folder of celeba is known; name its folder with --data-root or"):
        examined(load(), "celeba", None, False, silent)
