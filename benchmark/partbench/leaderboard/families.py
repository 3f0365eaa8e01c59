"""Which explainers are compared and ranked together, metric by metric."""

from __future__ import annotations

import numpy as np
import pandas as pd

from partbench.leaderboard.current import UNRANKED
from partbench.leaderboard.means import DIFFERENT
from partbench.leaderboard.origins import is_own

# Metrics that compare an explanation with logits or answers of the network that it explains: their values belong to
# that network, so that explanations of another network than the performer have no place in one order with them.
OF_THE_NETWORK = (
    "contribution_entropy", "contribution_error", "faithfulness_classification", "faithfulness_regression",
    "masked_accuracy", "part_effect_agreement", "relative_deviation",
)  # fmt: skip
RANKED = "ranked"
OF_NETWORK = "network "  # before the name of a network, which may itself be "ranked"


def with_families(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `means` with `family`, `ranked` (whether the row has a rank) and `directed` (has the metric ranks).

    Rows of one board, metric and family are compared in pairs; `family` is "" for rows of none. Members are default
    variants that have the metric on every task of the board, neither floors nor ablations. In metrics of
    `OF_THE_NETWORK`, the explainers of each network are a family, named after it, and that of the performer's is
    `RANKED`; in other metrics all members are `RANKED`. Of these, explainers have a rank that have several seeds or are
    deterministic. Variants of metrics (with '@'), and metrics without a direction in some row, have no families.

    `owner`: each explainer of partbench is its own; the explainers of another distribution have one owner. `share`: 1
    divided among the members of a family that have one owner, so that an owner weighs as one explainer does.
    """
    directed = table["higher_is_better"].notna().groupby([table["board"], table["metric"]]).transform("all")
    directed &= ~table["metric"].str.contains("@")
    member = directed & (table["variant"] == "") & table["value"].notna()
    member &= ~table["control"].isin(UNRANKED)
    apart = table["metric"].isin(OF_THE_NETWORK) & (table["network"] != "")
    member &= ~(apart & (table["network"] == DIFFERENT))
    family = np.where(member, np.where(apart, OF_NETWORK + table["network"], RANKED), "")
    table = table.assign(directed=directed, family=family, ranked=(family == RANKED) & ~table["one_seed"])
    owner = table["distribution"] + "/" + table["label"].where(is_own(table), "")
    together = [table["board"], table["metric"], table["family"], owner]
    return table.assign(owner=owner, share=1 / owner.groupby(together).transform("size"))
