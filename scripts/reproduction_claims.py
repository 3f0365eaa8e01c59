"""What docs/reproduction.md says of claims: what papers print beside a table, and what does not reproduce.

Claims are those of claims.toml, verdicts those of leaderboards/claims.csv, which `bench leaderboard` makes of results/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from partbench.leaderboard.boards import dataset_of, kind_of
from partbench.leaderboard.claims_on_boards import ABLATION, CLAIM, OPTION
from partbench.leaderboard.claims_stated import VALUE, PublishedClaim, kinds, printed, stated
from partbench.leaderboard.ledger_line import HOLDS
from partbench.leaderboard.markdown import ABSENT, bounded, escape, grid, number

REPOSITORY = Path(__file__).resolve().parents[1]
UNMET_COLUMNS = ["claim", "board", "published", "measured", "verdict", "options tried"]
NOT_REPRODUCED = (
    "What does not reproduce, and what was tried",
    """Claims that do not hold, or hold with a smaller effect than published, as [the
ledger](../leaderboards/claims.md) has them; ° is one training. Beside each: with how many other options of the same
explainer it holds on the same board. The tables above have their numbers.""",
)
TRIED = """### Tried, without results

These settings were tried while defaults were chosen. Their results are not published, so what is said of them here
cannot be checked.

* Interpretable CNNs without mask on photographs: the exact gradient, weaker and stronger filter losses. Stronger losses
  lower D further and cost accuracy; the exact gradient does less of both.
* The mask after the pool with the exact gradient: rho .3, 3 and 10. Read before the mask, all gain less than rho 1.
* Auto-encoders of all categories of the photographs: longer training, a lower rate, no filter loss, a start from the
  performer's own layers. None rebuilds the features of images held out. There are few photographs of some categories.
* Networks of photographs whose trunk is trained with the rest, which needs a GPU: not run."""


def ledger_lines() -> pd.DataFrame:
    """The ledger of claims, as `bench leaderboard` wrote it."""
    return pd.read_csv(REPOSITORY / "leaderboards" / "claims.csv").astype({"size": object}).fillna({"size": ""})


def published_line(explainer: str, other: str, board: str) -> str:
    """What a paper prints of its explainer, beside another or alone, as a line above a table; "" for nothing."""
    claims = [
        claim
        for claim in stated().claims
        if claim.explainer == explainer and claim.other in ("", other) and kind_of(board) in kinds(claim)
    ]
    told = [escape(text) for claim in claims if (text := _printed(claim, board))]
    return f"Published: {'; '.join(told)}.\n\n" if told else ""


def _printed(claim: PublishedClaim, board: str) -> str:
    """A published number, its range over networks, and the data: those of the board, else all of the paper's own."""
    found = printed(claim, dataset_of(board)) or printed(claim)
    if found is None:
        return ""
    unit = "" if claim.unit == VALUE else f"{claim.unit} of "
    return f"{unit}{claim.metric} {_ranged(found.value, found.low, found.high)} on {', '.join(found.datasets)}"


def _ranged(value: float, low: float, high: float) -> str:
    """A published number with its range, where it is that of several networks."""
    return number(value) if low == high else bounded(value, low, high)


def not_reproduced(lines: pd.DataFrame, boards: Sequence[str]) -> Iterator[tuple[str, str]]:
    """By paper: its claims that do not hold on these boards, as a table, and the options that were tried on them."""
    lines = lines[lines["board"].isin(boards) & lines["measured"].notna()]
    claims = lines[(lines["role"] == CLAIM) & ((lines["verdict"] != HOLDS) | lines["size"].str.startswith("weaker"))]
    for paper, said in stated().papers.items():
        rows = [_unmet(line, lines) for _, line in claims[claims["paper"] == paper].iterrows()]
        if rows:
            yield said.title, grid(UNMET_COLUMNS, rows)


def _unmet(line: pd.Series, lines: pd.DataFrame) -> list[str]:
    """A claim on a board, and with which other options of the paper's explainer it holds there."""
    tried = lines[(lines["claim"] == line["claim"]) & (lines["board"] == line["board"])]
    tried = tried[tried["role"].isin([OPTION, ABLATION])]
    holds = tried.loc[tried["verdict"] == HOLDS, "explainer"]
    told = f"holds with {len(holds)} of {len(tried)}{''.join(f'; {name}' for name in holds)}" if len(tried) else ""
    seed, size = " °" if line["one_seed"] else "", f", {line['size']}" if line["size"] else ""
    measured = f"{line['unit']} {bounded(line['measured'], line['low'], line['high'])}{seed}"
    published = _ranged(line["published"], line["published_low"], line["published_high"])
    cells = [line["claimed"], line["board"], published, measured, line["verdict"] + size, told]
    return [escape(cell) or ABSENT for cell in cells]
