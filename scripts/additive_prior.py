"""Print what the prior of the additive explainer changes, at equal deviation, from a folder of results.

    python scripts/additive_prior.py RESULTS

A line compares `additive` with `additive_no_prior` for a task, a seed and the other options: entropy, contribution
error and relative deviation on test images, with prior / without. The comparison is fair where the deviations differ by
at most a tenth; elsewhere the line says so, as the less exact explainer may owe its entropy to that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from partbench.results.store import load_results

METRICS = ("contribution_entropy", "contribution_error", "relative_deviation")
PAIR = ("additive", "additive_no_prior")
EQUAL = 0.1


def main() -> None:
    """Print the lines for the folder that is named."""
    rows = load_results(Path(sys.argv[1]))
    rows = rows[rows.explainer.isin(PAIR) & rows.metric.isin([*METRICS, "bias"]) & (rows.status == "ok")]
    print("\n".join(lines(rows)) or "no pair of additive and additive_no_prior in these results")


def lines(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each pair, by task, options and seed."""
    shared = rows.assign(shared=[without_beta(text) for text in rows.options])
    for (task, options, seed), group in shared.groupby(["task", "shared", "seed"], observed=True):
        values = group.pivot_table(index="explainer", columns="metric", values="value", observed=True)
        if not set(PAIR) <= set(values.index) or METRICS[-1] not in values:
            continue
        found = [f"{name} {values[name][PAIR[0]]:.3f} / {values[name][PAIR[1]]:.3f}" for name in values.columns]
        with_prior, without = (values[METRICS[-1]][name] for name in PAIR)
        fair = "" if abs(with_prior - without) <= EQUAL * max(with_prior, without) else "; deviations are not equal"
        bias = json.loads(options)["bias"]
        yield f"{task}, bias {bias}, seed {seed}: {', '.join(found)}{fair}"


def without_beta(options: str) -> str:
    """The options of a cell but for the weight of the prior."""
    return json.dumps({name: value for name, value in json.loads(options).items() if name != "beta"}, sort_keys=True)


if __name__ == "__main__":
    main()
