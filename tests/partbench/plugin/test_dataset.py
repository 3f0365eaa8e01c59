"""The base classes of datasets and splits: what they offer by default."""

from __future__ import annotations

import pytest

from partbench import Dataset, ImageSet, NotApplicable


def test_a_dataset_declares_nothing_that_it_does_not_have() -> None:
    class Nothing(Dataset):
        """Empty."""

        name = "nothing"

    opened = Nothing(None, 8)
    assert (opened.size, opened.version, opened.needs_root) == (8, "1", False)
    assert opened.classes == opened.categories == opened.landmark_names == opened.part_names == ()
    assert opened.attribute_names == ()
    assert dict(opened.attribute_tasks) == {}
    assert opened.located is opened.attribute_images is None


def test_a_split_has_no_attributes_and_no_images_without_a_part_unless_it_says_so() -> None:
    split = ImageSet()
    assert split.attributes is None
    assert not split.has_removals
    assert split.progress("a step", 1, 2) is None
    with pytest.raises(NotApplicable, match="cannot be had without a part"):
        split.batch_without([0], "head")
    with pytest.raises(NotImplementedError):
        split.batch([0])
    with pytest.raises(NotImplementedError):
        len(split)
