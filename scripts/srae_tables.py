"""Tables 1 and 3 of the SRAE paper beside what was measured in its setting: a section of docs/reproduction.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd

from partbench.leaderboard.claims_on_boards import CLAIM
from partbench.leaderboard.claims_page import UNFIT
from partbench.leaderboard.claims_stated import RATIO
from partbench.leaderboard.markdown import ABSENT, escape, grid, number
from partbench.leaderboard.published import published
from partbench.leaderboard.uses import NOT_HERE

SRAE = "srae"
BOARDS = ("cub/multi:*", "fauna_species/multi:*", "fauna_scenes/multi:*")
DATASETS = tuple(board.partition("/")[0] for board in BOARDS)
PRINTED = {"1": "Table 1: cub, VGG-19", "3": "Table 3: places, VGG-16"}
EXPLAINERS = (SRAE, "srae (beta=0.3,eta=0.1)", "nn", "sae", "lasso", "cae", "z", "excitation_bp")
METRICS = {
    "faithfulness_regression": "F_reg", "faithfulness_classification": "F_cls", "orthogonality_frobenius": "O1",
    "orthogonality_logdet": "O2", "locality": "locality",
}  # fmt: skip
TITLED = (
    "Sparse reconstruction auto-encoder",
    f"""F_reg is the distance to the logit, F_cls the share of images whose predicted class is kept, O1 and O2 are
orthogonality, locality is an entropy over parts; of F_cls higher is better, of the others lower. From the paper,
faithfulness is of test images and the rest of positive images. `cub` is here some photographs of a few of its species,
explained in `lite0_head`. The rendered worlds have the settings of the two tables: species that differ in
parts, and rooms that objects tell. Verdicts are those of [the ledger](../leaderboards/claims.md) on what the tables
say of a pair, and adjusted for the number of claims, which the intervals are not; of the orthogonality of CAE they are
on Table 1, which Table 3 contradicts. {UNFIT}: the card of the metric says *do not use here*.""",
)


def directions(ledger: pd.DataFrame) -> str:
    """SRAE against each other explainer: ratios or differences as printed and as measured, with the verdicts."""
    wanted = (ledger["paper"] == SRAE) & (ledger["role"] == CLAIM) & ledger["board"].isin(BOARDS)
    lines = ledger[wanted & ledger["metric"].isin(METRICS) & ledger["other"].notna()]
    rows = []
    for _, claim in lines.groupby("claim", sort=False):
        metric, other, unit = (str(claim[name].iloc[0]) for name in ("metric", "other", "unit"))
        printed = [_against(table, metric, other, unit) for table in PRINTED]
        of_boards = claim.set_index("board")
        measured = [_measured(of_boards.loc[board]) if board in of_boards.index else ABSENT for board in BOARDS]
        rows.append([escape(METRICS[metric]), escape(other), unit, *printed, *measured])
    return grid(["SRAE in", "against", "as", *PRINTED.values(), *map(escape, BOARDS)], rows)


def values(mean: Callable[[str, str, str], float]) -> str:
    """The means of all explainers of the tables; `mean` gives that of a board, an explainer and a metric."""
    rows = []
    for metric, name in METRICS.items():
        for label in EXPLAINERS:
            printed = [number(_printed(table, metric, label)) for table in PRINTED]
            measured = [number(mean(board, label, metric)) for board in BOARDS]
            if any(cell != ABSENT for cell in (*printed, *measured)):
                rows.append([escape(name), escape(label), *printed, *measured])
    return grid(["metric", "explainer", *PRINTED.values(), *map(escape, BOARDS)], rows)


def section(ledger: pd.DataFrame, mean: Callable[[str, str, str], float]) -> Iterator[tuple[str, str]]:
    """Titles and tables."""
    yield "SRAE against the others", directions(ledger)
    yield "All means", values(mean)


def _against(table: str, metric: str, other: str, unit: str) -> str:
    own, theirs = _printed(table, metric, SRAE), _printed(table, metric, other)
    return number(own / theirs if unit == RATIO else own - theirs)


def _printed(table: str, metric: str, explainer: str) -> float:
    """What a table prints; NaN where it prints nothing."""
    rows = published()
    rows = rows[(rows["paper"] == SRAE) & (rows["table"] == table) & (rows["variant"] == "")]
    found = rows[(rows["metric"] == metric) & (rows["explainer"] == explainer)]["value"]
    return float(found.iloc[0]) if len(found) else float("nan")


def _measured(line: pd.Series) -> str:
    if pd.isna(line["measured"]):
        return str(line["verdict"])
    bounds = f"[{number(line['low'])}, {number(line['high'])}]"
    unfit = f" {UNFIT}" if line["card"] == NOT_HERE else ""
    return f"{number(line['measured'])} {bounds} {line['verdict']}{unfit}"
