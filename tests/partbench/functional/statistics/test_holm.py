from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from partbench.functional.statistics import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_adjusted_values_are_those_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), multipletests(p, method="holm")[1])


def test_what_is_not_known_is_not_counted() -> None:
    found = holm(np.array([0.01, np.nan, 0.02]))
    assert found.tolist() == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert len(holm(np.empty(0))) == 0
