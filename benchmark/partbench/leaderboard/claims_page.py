"""The ledger of claims as a page in GitHub Markdown and as comma-separated values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter

from partbench.leaderboard.boards import dataset_of, kind_of
from partbench.leaderboard.claims_on_boards import CLAIM, command
from partbench.leaderboard.claims_stated import stated
from partbench.leaderboard.current import ABLATION
from partbench.leaderboard.generated import as_csv
from partbench.leaderboard.ledger_line import FAILS, HOLDS, VERDICTS, LedgerLine, ledger_table
from partbench.leaderboard.markdown import ABSENT, escape, grid, number
from partbench.results.schema import slug

TITLE = "# What the papers claim, and what was measured here"
_READING = """\
A line is a claim on a board: what a paper publishes, and what the committed results say of it in the setting of that
board, which is never quite the paper's. The rules are in [docs/claims.md](../docs/claims.md).

- *holds*: surely in the claimed direction. *does not*: surely in the opposite direction. *not separated*: the results
  exclude neither. *not comparable*: both explainers have values on less than 90 % of the images. *setting not
  reproduced*: there are no results, a check of our own fails, or the direction depends on options of the method.
- Surely: p below .05 by Holm's method over all claims that can be tested. Intervals are 95 % intervals over images and
  seeds, for these categories and networks, not adjusted. °: one seed; it holds for this training alone.
- Published: mean over the paper's networks, with their range; where the paper did not use our data, over all of its
  own. Size: whether the interval of an effect that holds meets the published range.
- Images: different ones on which both explainers have a value. An image that several tasks show counts once.
- †: these explainers are not surely better than every floor in the metric of the line.
- §: the card of the metric says *do not use here* ([what metrics are worth](../docs/metrics.md)). The verdict tells
  whether the direction that the paper prints is found again. It is no evidence for or against an explanation.
- *holds, but depends on options*: with the options in the remarks the number is surely on the other side. Where no
  other options were tried, this is not known.

[claims.csv](claims.csv) has all lines, and names the files of results that each is made from."""
_OPTIONS = """\
Other readings of the metric and other options of the paper's explainer, each against what is trained alike. Defaults:
what the default options give on the same tasks. p is adjusted over all lines of these tables, those of one seed (°)
apart."""
_CHECKED = """\
Means over tasks and seeds. Nothing is concluded where a network is at chance, most filters are dead, the filter loss
has no gradient, features are not rebuilt, or a single feature is alive. A bias is in units of the logit."""
UNFIT = "§"  # marks lines in metrics that their cards say not to use
_UNIT = {"ratio": "ratio ", "difference": "difference ", "value": ""}


def claims_page(ledger: Sequence[LedgerLine]) -> str:
    """The page, from `claims.ledger`."""
    lines = [line for line in ledger if line.role == CLAIM]
    parts = [TITLE, _READING, _counts(lines), "## Settings", _settings(lines)]
    for name, paper in stated().papers.items():
        of_paper = [line for line in lines if line.claim.paper == name]
        found = [line for line in of_paper if line.measured]
        parts += [f"## {escape(paper.title)}", paper.differs, *_measured(found), *_checks(found)]
        parts += _varied([line for line in ledger if line.claim.paper == name and line.role != CLAIM])
        parts += _absent([line for line in of_paper if not line.measured])
    return "\n\n".join(parts) + "\n"


def claims_csv(ledger: Iterable[LedgerLine]) -> str:
    """All lines and columns; the files of a line are separated by spaces."""
    return as_csv(ledger_table(ledger))


def _counts(lines: Sequence[LedgerLine]) -> str:
    """How many claims of each paper were measured anywhere, and the verdicts of the lines that were."""
    rows = []
    for name, paper in stated().papers.items():
        of_paper = [line for line in lines if line.claim.paper == name]
        found = [line for line in of_paper if line.measured]
        claims, known = ({line.claim.id for line in some} for some in (of_paper, found))
        verdicts = Counter(line.verdict for line in found)
        unfit = sum(line.in_unfit_metric for line in found)
        counts = [len(found), *(verdicts[verdict] for verdict in VERDICTS), unfit]
        rows.append([escape(paper.title), f"{len(known)} of {len(claims)}", *map(str, counts)])
    return grid(["paper", "claims measured", "lines", *VERDICTS, UNFIT], rows)


def _settings(lines: Sequence[LedgerLine]) -> str:
    """The datasets and kinds of boards that the lines are about."""
    said = stated()
    kinds = {kind_of(line.board) for line in lines}
    about = [f"- `{name}`: {escape(data.about)}." for name, data in said.datasets.items()]
    return "\n".join([*about, *(f"- `{kind}`: {escape(text)}." for kind, text in said.kinds.items() if kind in kinds)])


def _measured(lines: Sequence[LedgerLine]) -> list[str]:
    if not lines:
        return []
    columns = ["claim", "published", "board", "measured", "verdict", "size", "p", "seeds", "images", "runs", "remarks"]
    cells, before = [], ""
    for line in lines:
        said = line.claim
        claim = f"{escape(said.says)} ({escape(said.source)})" if said.id != before else ""
        before = said.id
        about = [line.seeds, str(line.images) if line.images else ABSENT, _runs(line)]
        floors = f"†: {line.floors}" if line.floors else ""
        remarks = escape("; ".join(filter(None, [line.lacks, line.turned, floors]))) or ABSENT
        shown = [_number(line), _verdict(line), line.size or ABSENT, _p(line.p_adjusted), *about, remarks]
        cells.append([claim, _published(line), f"{escape(line.board)}: {line.setting}", *shown])
    return [grid(columns, cells)]


def _checks(lines: Sequence[LedgerLine]) -> list[str]:
    """What has to be so for a line to speak of the method: each board and explainer once."""
    found = {(line.board, one) for line in lines for one in line.checks.split("; ") if one}
    if not found:
        return []
    cells = [[escape(board), *map(escape, one.rsplit(": ", 1))] for board, one in sorted(found)]
    return ["### Do networks and losses work here", _CHECKED, grid(["board", "explainer", "measured"], cells)]


def _varied(lines: Sequence[LedgerLine]) -> list[str]:
    if not lines:
        return []
    columns = ["metric", "board", "explainer", "against", "measured", "defaults", "verdict", "p", "tasks", "seeds"]
    cells = []
    for line in lines:
        name = f"{escape(line.explainer)}{' (ablation)' if line.role == ABLATION else ''}"
        default = number(line.defaults.value) if line.defaults else ABSENT
        names = [escape(line.claim.metric), escape(line.board), name, escape(line.other)]
        tasks = escape(line.tasks[0]) if len(line.tasks) == 1 else str(len(line.tasks))
        cells.append([*names, _number(line), default, _verdict(line), _p(line.p_adjusted), tasks, line.seeds])
    return ["### Which settings carry the effect", _OPTIONS, grid(columns, cells)]


def _absent(lines: Sequence[LedgerLine]) -> list[str]:
    """Lines without a number, those of a board together, and the command that would measure them."""
    if not lines:
        return []
    together: dict[tuple[str, str], list[LedgerLine]] = {}
    for line in lines:
        together.setdefault((line.board, "" if line.board else line.lacks), []).append(line)
    cells = []
    for (board, _), some in sorted(together.items(), key=itemgetter(0)):
        claims, lacks = (sorted(texts) for texts in ({line.claim.id for line in some}, {line.lacks for line in some}))
        names = dict.fromkeys(name for line in some for name in (line.explainer, line.other) if name)
        run = f"`{command(names, board)}`" if board else ABSENT
        cells.append([escape(", ".join(claims)), escape(board) or ABSENT, escape("; ".join(lacks)), run])
    return ["### Not measured", grid(["claims", "board", "what lacks", "command"], cells)]


def _published(line: LedgerLine) -> str:
    found = line.published
    if found is None:
        return ABSENT
    low, high = number(found.low), number(found.high)
    spread = "" if low == high else f" ({low} to {high})"
    return f"{_UNIT[line.unit]}{number(found.value)}{spread}; {escape(line.on)}"


def _number(line: LedgerLine) -> str:
    found = line.measured
    if found is None:
        return ABSENT
    mark = " °" if found.one_seed else ""
    return f"{_UNIT[found.unit]}{number(found.value)} ({number(found.low)} to {number(found.high)}){mark}"


def _verdict(line: LedgerLine) -> str:
    """What is concluded; bold where it is something, in a metric that is worth it."""
    if line.in_unfit_metric:
        return f"{line.told} {UNFIT}"
    return line.told.replace(line.verdict, f"**{line.verdict}**") if line.verdict in (HOLDS, FAILS) else line.told


def _p(value: float) -> str:
    if math.isnan(value):
        return ABSENT
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _runs(line: LedgerLine) -> str:
    """The number of files that a line is made from, with a link to their folder."""
    return f"[{len(line.cells)}](../results/{slug(dataset_of(line.board))})"
