"""Write docs/reproduction.md: the trained explainers beside what their papers print, category by category.

    python scripts/reproduction.py

Everything is read from results/, what the ledger says from leaderboards/claims.csv, which `bench leaderboard` makes
of them. Intervals are those of `functional.statistics.compare`, over images and seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import srae_tables
from reproduction_claims import NOT_REPRODUCED, TRIED, ledger_lines, not_reproduced, published_line

from partbench.functional.statistics import Evidence, Pairing, Ratio, compare, ratio_of_means, share_of_gain
from partbench.functional.statistics.ratios import times
from partbench.leaderboard.aligned import aligned
from partbench.leaderboard.current import current
from partbench.leaderboard.markdown import ABSENT, amount, escape, grid, number
from partbench.results.store import OF_BOARDS, load_evidence, load_results

REPOSITORY = Path(__file__).resolve().parents[1]
INSTABILITY, FOLLOWING = "location_instability", "part_following"
INTERPRETABILITY, BALANCED = "part_interpretability", "balanced_accuracy"
ORTHOGONALITY = "orthogonality_frobenius"
ENTROPY = "contribution_entropy"
NATS, ERROR = f"{ENTROPY}@nats", "contribution_error"
COMPARED = (  # over images
    INSTABILITY, FOLLOWING, f"{INSTABILITY}@unmasked", f"{FOLLOWING}@unmasked", INTERPRETABILITY, BALANCED, NATS,
    ERROR,
)  # fmt: skip
BOARDS = ("fauna/*", "fauna/*:others", "fauna/multi", "animal_part/*", "animal_part/*:others", "animal_part/multi")
ATTRIBUTES = "fauna/attribute-*"
DATASETS = ("fauna", "animal_part")
ORDINARY = "top_conv (network=ordinary)"


@dataclass(frozen=True)
class Pair:
    """Labels of an explainer and of the one it is compared with, and the reading of its maps ("" or "@unmasked")."""

    explainer: str
    other: str
    reading: str = ""


Tasks = tuple[str, ...]
DEFAULTS = Pair("interp_cnn", ORDINARY)
MASKED = "interp_cnn (gradient=exact,mask=true,mask_after_pool=true,rho=1.0)"
AFTER_POOL = "top_conv (after_pool=true,network=ordinary)"
FILTERS = (DEFAULTS, Pair(MASKED, AFTER_POOL), Pair(MASKED, AFTER_POOL, "@unmasked"))
PRIOR = Pair("additive", "additive_no_prior")
ERRORS = "reconstruction", "held_out"  # of images trained on, and of training images held out
TRAINED = "training_balanced_accuracy"  # its remark says whether a network is at chance
EQUAL = 0.1  # relative difference up to which two deviations from a logit count as equal


class Results:
    """The results of a folder: aggregates of all boards of the page as `rows`, the evidence of images as `stacks`."""

    def __init__(self, folder: Path) -> None:
        rows = current(load_results(folder, datasets=(*DATASETS, *srae_tables.DATASETS)))
        scored = rows[rows["scored"] & rows["board"].isin((*BOARDS, ATTRIBUTES, *srae_tables.BOARDS))]
        self.rows = scored[["board", "label", "metric", "task", "seed", "value"]]
        varied = scored[(scored["explainer"] == DEFAULTS.explainer) & (scored["variant"] != "")]
        self.varied = varied[["board", "label", "compared_with"]].drop_duplicates()
        poor = scored[(scored["metric"] == TRAINED) & scored["reason"].fillna("").str.contains("at chance")]
        self.at_chance = frozenset(zip(poor["label"], poor["task"], strict=True))
        self._cells = dict(iter(self.rows.groupby(["board", "label", "metric"], observed=True)))
        compared = scored[scored["metric"].isin(COMPARED)]
        evidence = load_evidence(folder, DATASETS, OF_BOARDS)
        self.stacks = {(one.board, one.metric): one for one in aligned(compared, evidence)}
        self._evidence: dict[tuple[str, str, str], Mapping[str, Evidence]] = {}

    def options(self, board: str) -> list[Pair]:
        """Interpretable CNNs with options of their own on a board, each beside the ordinary network trained alike."""
        rows = self.varied[self.varied["board"] == board]
        return [Pair(label, other) for _, label, other in rows.sort_values("label").itertuples(index=False, name=None)]

    def cells(self, board: str, label: str, metric: str) -> pd.DataFrame:
        """The scored aggregate rows of an explainer on a board."""
        return self._cells.get((board, label, metric), self.rows[:0])

    def mean(self, board: str, label: str, metric: str, tasks: Tasks = ()) -> float:
        """The mean over seeds, then over these tasks, or all of the board; NaN where there are no rows."""
        rows = self.cells(board, label, metric)
        rows = rows[rows["task"].isin(tasks)] if tasks else rows
        return float(rows.groupby("task")["value"].mean().mean()) if len(rows) else float("nan")

    def evidence(self, board: str, label: str, metric: str) -> Mapping[str, Evidence]:
        """The evidence of an explainer by task, of all its seeds; found once, since every row of a table needs it."""
        wanted = board, label, metric
        if wanted not in self._evidence:
            stack = self.stacks.get((board, metric))
            self._evidence[wanted] = stack.evidence(label) if stack and label in stack.labels else {}
        return self._evidence[wanted]


def main() -> None:
    """Write the page."""
    made = page(Results(REPOSITORY / "results"), ledger_lines())
    (REPOSITORY / "docs" / "reproduction.md").write_text(made)


def page(results: Results, lines: pd.DataFrame) -> str:
    """The page as Markdown, from results and the lines of the ledger of claims."""
    found = [(title, text, table(results)) for title, text, table in SECTIONS]
    parts = [INTRODUCTION]
    found.append((*srae_tables.TITLED, srae_tables.section(lines, results.mean)))
    found.append((*NOT_REPRODUCED, not_reproduced(lines, (*BOARDS, ATTRIBUTES))))
    for title, text, tables in found:
        told = [f"### {escape(name)}\n\n{table}" for name, table in tables]
        if told:
            parts += [f"## {title}\n\n{text}", *told]
    return "\n\n".join((*parts, TRIED)) + "\n"


def interpretable_cnns(results: Results) -> Iterator[tuple[str, str]]:
    """By board and pair of networks: category by category."""
    for board in BOARDS:
        for pair in FILTERS:
            if rows := _rows(_filters, results, board, pair):
                reading = " (maps read before the mask)" if pair.reading else ""
                table = published_line(DEFAULTS.explainer, DEFAULTS.other, board) + grid(FILTER_COLUMNS, rows)
                yield f"{board}: {pair.explainer}{reading} against {pair.other}", table


def options(results: Results) -> Iterator[tuple[str, str]]:
    """By board and tasks: one row for every set of options that was tried on them, the defaults first."""
    for board in BOARDS:
        tried: dict[Tasks, list[Pair]] = {}
        for pair in results.options(board):
            if tasks := tuple(_tasks(results, board, pair)):
                tried.setdefault(tasks, []).append(pair)
        for tasks, pairs in tried.items():
            rows = [_option(results, board, pair, tasks) for pair in (DEFAULTS, *pairs)]
            yield tasks[0] if len(tasks) == 1 else board, grid(OPTION_COLUMNS, rows)


def autoencoders(results: Results) -> Iterator[tuple[str, str]]:
    """By board and explainer: category by category."""
    for board in BOARDS:
        for label in ("autoencoder", "autoencoder_cls"):
            pair = Pair(label, "top_conv")
            if rows := _rows(_autoencoder, results, board, pair):
                table = published_line(pair.explainer, pair.other, board) + grid(AUTOENCODER_COLUMNS, rows)
                yield f"{board}: {label} against top_conv", table


def additive(results: Results) -> Iterator[tuple[str, str]]:
    """By board and kind of bias: category by category, then the mean of those of equal deviation."""
    for board in (*BOARDS, ATTRIBUTES):
        for suffix in ("", " (bias=zero)"):
            pair = Pair(f"{PRIOR.explainer}{suffix}", f"{PRIOR.other}{suffix}")
            if rows := _rows(_additive, results, board, pair, ENTROPY):
                rows += _of_equal_deviation(results, board, pair)
                table = published_line(PRIOR.explainer, PRIOR.other, board) + grid(ADDITIVE_COLUMNS, rows)
                yield f"{board}: {pair.explainer} against {pair.other}", table


FILTER_COLUMNS = [
    "category", "ordinary D", "D", "ratio", "following, share of the gain", "P ordinary", "P", "ratio of P",
    "O1 ordinary", "O1", "balanced accuracy", "less ordinary, points", "seeds",
]  # fmt: skip
OPTION_COLUMNS = ["explainer", *FILTER_COLUMNS[1:], "filter / task gradient", "dead filters"]
AUTOENCODER_COLUMNS = [
    "category", "p", "fc1 error", "fc2 error", "fc1, held out", "fc2, held out", "error less performer's, points",
    "ratio of D", "following, share", "seeds",
]  # fmt: skip
ADDITIVE_COLUMNS = [
    "category", "entropy", "less no prior", "contribution error", "less no prior", "relative deviation", "of no prior",
    "bias", "seeds",
]  # fmt: skip


RowOf = Callable[[Results, str, Pair, Tasks], list[str]]


def _rows(row_of: RowOf, results: Results, board: str, pair: Pair, metric: str = INSTABILITY) -> list[list[str]]:
    """A row for each task that both have with this metric, and one for the mean of several tasks."""
    tasks = _tasks(results, board, pair, metric)
    wanted = [(task,) for task in tasks] + ([tuple(tasks)] if len(tasks) > 1 else [])
    return [row_of(results, board, pair, some) for some in wanted]


def _tasks(results: Results, board: str, pair: Pair, metric: str = INSTABILITY) -> list[str]:
    mine, theirs = results.cells(board, pair.explainer, metric), results.cells(board, pair.other, metric)
    return sorted(set(mine["task"]) & set(theirs["task"]))


def _filters(results: Results, board: str, pair: Pair, tasks: Tasks) -> list[str]:
    def of(label: str, metric: str) -> float:
        return results.mean(board, label, metric, tasks)

    poor = any((pair.explainer, task) in results.at_chance for task in tasks)
    masked = [ABSENT] * 5  # P and O1 have no reading of maps before the mask
    if not pair.reading:
        masked = [
            number(of(pair.other, INTERPRETABILITY)), number(of(pair.explainer, INTERPRETABILITY)),
            _ratio(results, board, pair, tasks, INTERPRETABILITY),
            *(f"{of(label, ORTHOGONALITY):.1f}" for label in (pair.other, pair.explainer)),
        ]  # fmt: skip
    return [
        _category(tasks), number(of(pair.other, INSTABILITY)), number(of(pair.explainer, INSTABILITY + pair.reading)),
        _ratio(results, board, pair, tasks), _share(results, board, pair, tasks), *masked,
        number(of(pair.explainer, BALANCED)) + (" (at chance)" if poor else ""),
        _difference(results, board, pair, BALANCED, tasks), _seeds(results, board, pair, tasks),
    ]  # fmt: skip


def _option(results: Results, board: str, pair: Pair, tasks: Tasks) -> list[str]:
    """A row of `_filters` for a set of options, and whether filters live and the filter loss acts."""
    gradient, dead = (
        amount(results.mean(board, pair.explainer, name, tasks))
        for name in ("gradient_ratio@added", "dead_filters_share")
    )
    return [escape(pair.explainer), *_filters(results, board, pair, tasks)[1:], gradient, dead]


def _autoencoder(results: Results, board: str, pair: Pair, tasks: Tasks) -> list[str]:
    means = [
        results.mean(board, pair.explainer, name, tasks)
        for name in ("interpretable_share", *(f"{of}_error@{fc}" for of in ERRORS for fc in ("fc1", "fc2")))
    ]
    wrong = results.mean(board, pair.explainer, "classification_error@difference", tasks)
    return [
        _category(tasks), *(f"{mean:.2f}" for mean in means), f"{100 * wrong:+.1f}",
        _ratio(results, board, pair, tasks), _share(results, board, pair, tasks), _seeds(results, board, pair, tasks),
    ]  # fmt: skip


def _additive(results: Results, board: str, pair: Pair, tasks: Tasks) -> list[str]:
    deviation = "relative_deviation"
    mine, theirs = ({name: results.mean(board, label, name, tasks) for name in (NATS, ERROR, deviation, "bias")}
                    for label in (pair.explainer, pair.other))  # fmt: skip
    return [
        _category(tasks), f"{mine[NATS]:.2f}", _difference(results, board, pair, NATS, tasks), number(mine[ERROR]),
        _difference(results, board, pair, ERROR, tasks), f"{mine[deviation]:.4f}", f"{theirs[deviation]:.4f}",
        f"{mine['bias']:.2f}", _seeds(results, board, pair, tasks, ENTROPY),
    ]  # fmt: skip


def _of_equal_deviation(results: Results, board: str, pair: Pair) -> list[list[str]]:
    """A row for the mean of the tasks on which both deviate alike from the logit, where these are not all tasks."""
    tasks = _tasks(results, board, pair, ENTROPY)
    equal = tuple(task for task in tasks if _deviate_alike(results, board, pair, task))
    if len(equal) == len(tasks):
        return []
    name = f"**mean of {len(equal)} of equal deviation**"
    if not equal:
        return [[name, *[ABSENT] * (len(ADDITIVE_COLUMNS) - 1)]]
    return [[name, *_additive(results, board, pair, equal)[1:]]]


def _deviate_alike(results: Results, board: str, pair: Pair, task: str) -> bool:
    mine, theirs = (results.mean(board, label, "relative_deviation", (task,)) for label in (pair.explainer, pair.other))
    return abs(mine - theirs) <= EQUAL * min(mine, theirs)


def _ratio(results: Results, board: str, pair: Pair, tasks: Tasks, metric: str = INSTABILITY) -> str:
    """The ratio of the location instabilities, or of another metric; absent where the other's mean is not above 0."""
    mine = _of_tasks(results.evidence(board, pair.explainer, metric + pair.reading), tasks)
    theirs = _of_tasks(results.evidence(board, pair.other, metric), tasks)
    try:
        return _bounded(ratio_of_means(mine, theirs)) if mine.keys() & theirs.keys() else ABSENT
    except ValueError:
        return ABSENT


def _share(results: Results, board: str, pair: Pair, tasks: Tasks) -> str:
    """The share of part following in the gain of location instability."""

    def of(label: str, reading: str) -> tuple[dict[str, Evidence], dict[str, Evidence]]:
        instability, following = (
            _of_tasks(results.evidence(board, label, name + reading), tasks) for name in (INSTABILITY, FOLLOWING)
        )
        return instability, following

    mine, theirs = of(pair.explainer, pair.reading), of(pair.other, "")
    if not all((*mine, *theirs)):
        return ABSENT
    found = share_of_gain(mine, theirs)
    return "no gain" if found is None else _bounded(found)


def _difference(results: Results, board: str, pair: Pair, metric: str, tasks: Tasks) -> str:
    """The difference of a metric, with its interval; of accuracies in points."""
    scale, digits = (100, 1) if metric == BALANCED else (1, 3)
    mine, theirs = (
        times(_of_tasks(results.evidence(board, label, metric), tasks), scale) for label in (pair.explainer, pair.other)
    )
    if not mine.keys() & theirs.keys():
        return ABSENT
    same_network = pair.explainer.startswith("additive")  # both explain one network, so seeds are pairs
    shared = mine.keys() & theirs.keys()
    if same_network and any(len(mine[name].values) != len(theirs[name].values) for name in shared):
        return ABSENT
    found = compare(mine, theirs, Pairing(same_network=same_network))
    low, high = found.these.interval()
    return f"{found.these.difference:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _bounded(found: Ratio) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _of_tasks(found: Mapping[str, Evidence], tasks: Tasks) -> dict[str, Evidence]:
    return {name: side for name, side in found.items() if name in tasks}


def _seeds(results: Results, board: str, pair: Pair, tasks: Tasks, metric: str = INSTABILITY) -> str:
    """How many seeds of the explainer there are, the least over its tasks."""
    rows = results.cells(board, pair.explainer, metric)
    return str(rows[rows["task"].isin(tasks)].groupby("task")["seed"].nunique().min())


def _category(tasks: Tasks) -> str:
    return "**mean**" if len(tasks) > 1 else escape(tasks[0].partition("/")[2].partition(":")[0])


INTRODUCTION = """# The trained explainers beside their papers

For readers of the papers. Generated by `python scripts/reproduction.py` from `results/`. Each method is compared with
what its authors compare it with, trained with the same recipe, on the same images and seeds. Brackets hold 95 %
intervals over test images and seeds (Student's t, Satterthwaite's degrees; of ratios by the delta method). They hold
for these categories and this performer; where there is one seed, for this training alone. Settings were chosen on
training images or on `fauna`, never on the test images of photographs."""
OF_FILTERS = """D is the location instability (lower is better), P the part interpretability with disks of the measured
receptive field. The share of the gain is the part of the fall of D that comes from filters which move with the parts;
the rest comes from positions that move less. A share near 0 says that filters settled on a place of the image. O1 grows
with the likeness of the filters' maps: it is 0 for filters that mark different places, and largest for copies of one
filter. What is published are means over the networks of the paper, with their range; no paper prints the share or O1.
The paper's accuracy is not balanced. Numbers of a network at chance say nothing of the method."""
OF_OPTIONS = """All options of `interp_cnn` with results, each against the ordinary network that is trained and read
alike; the defaults come first. The ordinary network is what rho 0 gives without mask. `loss=false` leaves the filter
loss out: what remains is the mask alone. The last columns say whether the filter loss acts (its gradient, as a multiple
of the task's) and which share of the filters no training image activates."""
OF_AUTOENCODERS = """p is the weight of the interpretable track in the sum of both tracks, `interpretable_share`. The
errors of fc1 and fc2 are shares of the variance of the performer's features: on the images trained on, and on the tenth
of the training images that is held out to tell when training has settled."""
OF_ADDITIVE = f"""The paper: entropy higher and contribution error lower with the prior. The bias is learned, or held at
0. Only sums that deviate alike from the logit are comparable: the last row has the mean of the tasks on which the two
deviations differ by at most {EQUAL:g} times the smaller, where these are not all; it is empty where there are none.
Means of the contribution error are over the categories that have one."""

Table = Callable[[Results], Iterator[tuple[str, str]]]
SECTIONS: Sequence[tuple[str, str, Table]] = (
    ("Interpretable CNNs", OF_FILTERS, interpretable_cnns),
    ("Which options carry the effect", OF_OPTIONS, options),
    ("Explainer auto-encoder", OF_AUTOENCODERS, autoencoders),
    ("Additive explainer", OF_ADDITIVE, additive),
)

if __name__ == "__main__":
    main()
