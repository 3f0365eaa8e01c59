from __future__ import annotations

import gc

import pytest

from partbench.imported import imported_to_stay


def test_the_collector_rests_within_and_works_again_after_be_it_after_an_error() -> None:
    with imported_to_stay():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), imported_to_stay():
        raise ImportError
    assert gc.isenabled()


def test_what_was_made_within_is_not_searched_for_garbage() -> None:
    before = gc.get_freeze_count()
    with imported_to_stay():
        made = [[] for _ in range(1000)]
    try:
        assert gc.get_freeze_count() >= before + len(made)
    finally:
        gc.unfreeze()
