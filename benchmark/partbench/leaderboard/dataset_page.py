"""The page of a dataset in GitHub Markdown: each board on one screen, with a link to its details."""

from __future__ import annotations

from collections.abc import Sequence

from partbench.leaderboard.costs import Cost
from partbench.leaderboard.markdown import ABSENT, HEADER, amount, escape, grid, narrow, number
from partbench.leaderboard.score import Score, told_metrics
from partbench.leaderboard.shown_board import (
    NO_VERDICT,
    ShownBoard,
    folder_of,
    marked,
    name_of,
)
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS
from partbench.results.schema import label

_READING = f"""\
Rows are explainers with their default options. A value is a mean over seeds for each task, then over all tasks of the
board; {ABSENT}: no value. ↑: higher is better. ↓: lower is better. °: one seed; it holds for this training alone.
†: not surely better than every floor; no evidence that the explainer explains anything. ‡: the metric reads no maps,
and the explainer's maps are no better than those of floors; a copy of the network's logit scores as well.

* *best floor*: the best of the explainers that see nothing of what the network makes of an image. Such a value costs
  nothing.
* *truth*: explanations made from the truth, on the tasks in brackets. Such a value is good.
* *fit*: seconds to fit a task. *image*: seconds to explain an image. Both are means over cells. *memory*: the most
  MB in use."""
_RANKS = """\
* *Metrics that rank*: a better score is evidence for the better explainer. In brackets stands the rank interval: every
  two explainers are compared image by image; of n, the best rank is 1 + the number of those surely better, the last
  one n - the number of those surely worse. **Bold**: none is surely better."""
_CARDS = """\
* *Metrics that screen*: a bad score is evidence against an explainer; a good one is none for it, so there are no ranks.
* Metrics of which neither holds stand in the details. [What the metrics are worth](metrics/README.md) gives reasons."""
_NO_CARDS = """\
* No planted runs lie beside these results, so that no metric has a verdict of a card: a rank may be worth nothing."""
_HEADINGS = {RANKS: "Metrics that rank", SCREENS: "Metrics that screen", NO_VERDICT: "Metrics without a verdict"}
_COSTS = ["fit<br>s", "image<br>s", "memory<br>MB"]
_NO_BREAK = "\N{NO-BREAK SPACE}"
_NO_COST = Cost(None, None, None)


def dataset_page(dataset: str, boards: Sequence[ShownBoard]) -> str:
    """The page of a dataset, from its boards."""
    metrics = {metric for board in boards for metric in board.metrics}
    has_cards = any(board.verdict(metric) != NO_VERDICT for board in boards for metric in board.metrics)
    reading = "\n".join([_READING, _RANKS, _CARDS if has_cards else _NO_CARDS])
    parts = [HEADER, f"# {escape(dataset)}", reading]
    parts.append(f"All {len(metrics)} metrics as tidy rows: [{folder_of(dataset)}.csv]({folder_of(dataset)}.csv).")
    for board in boards:
        parts += _board(board)
    return "\n\n".join(parts) + "\n"


def _board(board: ShownBoard) -> list[str]:
    """A heading, what is explained, and a table of each kind of metrics; costs stand in the first table.

    Metrics that floors alone have are left out, but for a board of floors.
    """
    told = told_metrics(score for score in board.main if score.tasks)
    by_verdict = {verdict: [name for name in board.metrics_of(verdict) if name in told] for verdict in _HEADINGS}
    tables = {verdict: metrics for verdict, metrics in by_verdict.items() if metrics}
    if RANKS not in tables and NO_VERDICT not in tables:
        tables = {RANKS: [], **tables}
    parts = [f"## {escape(board.name)}", " ".join([board.about, *_left_out(board), f"[Details]({board.path})."])]
    for place, (verdict, metrics) in enumerate(tables.items()):
        heading = f"### {_HEADINGS[verdict]}"
        parts += [heading if metrics else f"{heading}: none here", _table(board, metrics, verdict, costs=not place)]
    return parts


def _left_out(board: ShownBoard) -> list[str]:
    names = board.metrics_of(NOT_HERE)
    return [f"Left out, since they say nothing here: {escape(', '.join(names))}."] if names else []


def _table(board: ShownBoard, metrics: Sequence[str], verdict: str, costs: bool) -> str:
    cells = {(name_of(score), score.metric): _cell(score, verdict) for score in board.main if score.tasks}
    lines = []
    for name, text in _explainers(board):
        values = [cells.get((name, metric), ABSENT) for metric in metrics]
        spent = _cost(board.costs.get(text, _NO_COST)) if costs else []
        if set(values + spent) != {ABSENT}:
            lines.append([name, *values, *spent])
    empty = [""] * (len(_COSTS) if costs else 0)
    for name, limits in (("*best floor*", _floors(board, metrics)), (_truth_name(board), _truth(board, metrics))):
        if set(limits) - {ABSENT}:
            lines.append([name, *limits, *empty])
    return grid(["explainer", *(_heading(board, metric) for metric in metrics), *(_COSTS if costs else [])], lines)


def _explainers(board: ShownBoard) -> list[tuple[str, str]]:
    """Escaped and plain labels by name: default options, and any options of those without a value by default."""
    valued = [score for score in board.main if score.value is not None and score.method]
    default = {score.explainer for score in valued if not score.variant}
    shown = {(one.explainer, one.variant) for one in valued if not one.variant or one.explainer not in default}
    labels = [label(explainer, variant) for explainer, variant in sorted(shown)]
    return [(escape(text), text) for text in labels]


def _cell(score: Score, verdict: str) -> str:
    """A value with its marks, and the rank interval where the metric ranks; the coverage of what has no value."""
    if score.value is None:
        return f"{ABSENT} ({score.coverage})"
    value = number(score.value)
    if verdict == SCREENS:
        return marked(value, score, bold=False)
    return " ".join([marked(value, score), *([f"({score.rank})"] if score.rank else [])])


def _heading(board: ShownBoard, metric: str) -> str:
    score = board.metrics[metric][-1]
    unit = f"<br>{score.unit}" if score.unit else ""
    return f"{narrow(escape(metric))}{_NO_BREAK}{score.arrow}{unit}"


def _cost(cost: Cost) -> list[str]:
    return [amount(cost.fit_seconds), amount(cost.image_seconds), amount(cost.peak_mb)]


def _floors(board: ShownBoard, metrics: Sequence[str]) -> list[str]:
    scores = [board.floors.get(metric) for metric in metrics]
    return [f"{number(score.value)} {name_of(score)}" if score else ABSENT for score in scores]


def _truth(board: ShownBoard, metrics: Sequence[str]) -> list[str]:
    return [number(board.truths[metric].value) if metric in board.truths else ABSENT for metric in metrics]


def _truth_name(board: ShownBoard) -> str:
    tasks = sorted({task for truth in board.truths.values() for task in truth.tasks})
    return f"*truth* ({escape(', '.join(task.partition('/')[2] for task in tasks))})"
