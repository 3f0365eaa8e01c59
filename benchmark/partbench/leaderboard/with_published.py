"""A user's results beside the published ones that come with the package, on the same tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api.types import union_categoricals

from partbench.leaderboard.current import current
from partbench.results.reference.cells import FINGERPRINT, Reference, of_data
from partbench.results.schema import label

EVIDENCE = ("cell", "metric", "unit", "value")


@dataclass(frozen=True)
class JoinedResults:
    """Own and published results in one table.

    rows: as `load_results` gives them; images: their evidence, in the columns of `EVIDENCE`. published: labels of the
    published rows. left_out: why others were left out, a line for each reason. weights: see `differing_weights`.
    """

    rows: pd.DataFrame
    images: pd.DataFrame
    published: frozenset[str]
    left_out: tuple[str, ...]
    weights: str = ""


def with_published(
    rows: pd.DataFrame, images: pd.DataFrame, reference: Reference, wanted: Collection[str] | None = None
) -> JoinedResults:
    """Own results and those published cells that fit them.

    A published cell fits if it is of a task of `rows`, in the same version, with the same data and performer (whose
    fingerprint is in the keys of cells) and on the same kind of device; a row of it fits if the metric has the same
    version. Explainers that `rows` have are left out: own rows stand for them. With `wanted` only explainers with these
    labels are taken.
    """
    rows = current(rows)
    theirs = reference.rows
    theirs = theirs.assign(label=[label(*who) for who in zip(theirs["explainer"], theirs["variant"], strict=True)])
    theirs = theirs[~theirs["label"].isin(set(rows["label"])) & theirs["task"].isin(set(rows["task"]))]
    theirs = theirs if wanted is None else theirs[theirs["label"].isin(set(wanted))]
    reasons = dict(_reasons(rows.drop_duplicates("task"), theirs))
    theirs = theirs[~theirs["task"].isin(reasons)]
    versions = rows[["task", "metric", "metric_version"]].astype(object).drop_duplicates()
    fit = theirs.merge(versions, on=["task", "metric", "metric_version"])
    asked = theirs.merge(versions[["task", "metric"]].drop_duplicates(), on=["task", "metric"])
    stale = sorted(set(asked["metric"]) - set(fit["metric"]))
    left_out = [f"{task}: {reason}" for task, reason in reasons.items()]
    left_out += [f"{', '.join(stale)}: published values are of another version of the metric"] * bool(stale)
    joined = pd.concat([_own(rows), fit.drop(columns=[FINGERPRINT, "label"])], ignore_index=True)
    evidence = reference.evidence(set(fit["cell"]))
    joined_images = _joined(images, evidence)
    return JoinedResults(joined, joined_images, frozenset(fit["label"]), tuple(left_out), differing_weights(joined))


def differing_weights(rows: pd.DataFrame) -> str:
    """A line that names the performers whose weights differ between cells of one task; "" if none do that are known.

    A performer that is trained on first use has other weights on another type of processor, and the same fingerprint.
    """
    known = rows.reindex(columns=["performer", "task", "task_version", "performer_digest"]).astype(object)
    known = known[known["performer_digest"].fillna("").ne("")]
    count = known.groupby(["performer", "task", "task_version"])["performer_digest"].nunique()
    names = sorted({str(name) for name, *_ in count[count > 1].index})
    if not names:
        return ""
    return f"the weights of {', '.join(names)} differ between the results compared, which are of several machines"


def published_alone(reference: Reference, wanted: Collection[str]) -> JoinedResults:
    """The published results of some explainers, by themselves."""
    rows = reference.rows
    labels = pd.Series([label(*who) for who in zip(rows["explainer"], rows["variant"], strict=True)], rows.index)
    rows = rows[labels.isin(set(wanted))].drop(columns=FINGERPRINT)
    return JoinedResults(rows, reference.evidence(set(rows["cell"])), frozenset(labels[rows.index]), ())


def _reasons(own: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The tasks whose published cells do not fit the own ones, and why; `own` has a row for each task."""
    of_task = theirs.drop_duplicates("task").set_index("task")
    for mine in own.sort_values("task").itertuples():
        if mine.task in of_task.index:
            other = of_task.loc[mine.task]
            if why := _reason(mine, other):
                yield str(mine.task), why


def _reason(mine: Any, other: pd.Series) -> str:
    if mine.task_version != other["task_version"]:
        return f"published values are of version {other['task_version']} of the task, these of {mine.task_version}"
    if mine.device != other["device"]:
        return f"published values were computed on {other['device']}, these on {mine.device}"
    if not of_data(mine, other[FINGERPRINT]):
        return "published values are of other data or another performer"
    return ""


def _own(rows: pd.DataFrame) -> pd.DataFrame:
    """Without what `current` added and published rows lack, so that it is computed for all."""
    return rows.drop(columns=["board", "label", "scored", "asked_at", "file", "submission_status"], errors="ignore")


def _joined(mine: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    if mine.empty or theirs.empty:  # has no categories of texts
        return (theirs if mine.empty else mine)[list(EVIDENCE)]
    sides = {name: [pd.Categorical(side[name]) for side in (mine, theirs)] for name in EVIDENCE[:-1]}
    columns = {name: union_categoricals(side) for name, side in sides.items()}
    values = pd.concat([mine["value"], theirs["value"]], ignore_index=True)
    return pd.DataFrame({**columns, "value": values})
