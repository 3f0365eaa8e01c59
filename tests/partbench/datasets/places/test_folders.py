"""Which releases a folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_places

from partbench.datasets.places.challenge_release import ChallengeRelease
from partbench.datasets.places.folders import release_in, sources_in
from partbench.datasets.places.full_release import FullRelease
from partbench.datasets.places.places365 import Places365


def test_the_release_is_known_by_its_layout(tmp_path: Path) -> None:
    assert release_in(tmp_path) is None
    assert isinstance(release_in(tiny_places.challenge(tmp_path)), ChallengeRelease)
    assert isinstance(release_in(tiny_places.full(tmp_path, 2016)), FullRelease)
    tiny_places.standard(tmp_path)
    with pytest.warns(UserWarning, match="ADE20K_2016_07_26 is used, not ADEChallengeData2016"):
        sources = sources_in(tmp_path)
    assert [type(source) for source in sources] == [FullRelease, Places365]
