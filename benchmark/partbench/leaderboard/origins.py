"""Whose rows results are: the rules of boards trust rows of partbench's own explainers alone, and judge all others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd
from jaxtyping import Bool

from partbench.names import FIRST_PARTY, in_ascii, look


def is_own(rows: pd.DataFrame) -> Bool[np.ndarray, "n"]:
    """Which rows are of explainers of partbench's own distribution; a row that does not say whose it is, is not.

    Only such rows are controls, are believed to be deterministic, and decide which versions of a metric or task count.
    """
    return (rows["distribution"] == FIRST_PARTY).to_numpy(bool)


def told_apart(owned: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What explainers are called on boards, by name and distribution: in ASCII, those of different owners differently.

    An explainer of partbench keeps its name. Another one that looks like it, or like one of a third owner, is called
    `srae [their.py]`, so that it takes the place of none.
    """
    pairs, owners = sorted(set(owned)), defaultdict(set)
    for name, owner in pairs:
        owners[look(name)].add(owner)
    alone = {(name, owner): owner == FIRST_PARTY or len(owners[look(name)]) == 1 for name, owner in pairs}
    return {(name, owner): in_ascii(name if alone[name, owner] else f"{name} [{owner}]") for name, owner in pairs}
