"""The numbers printed in the papers, joined to the names of partbench; never mixed with measured values."""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Mapping
from importlib.resources import files
from typing import Any

import pandas as pd

# The explainer each paper proposes; its tables compare it with the others.
PROPOSED = {
    "interpretable-cnn": "interp_cnn",
    "explainer-autoencoder": "autoencoder",
    "additive-explainer": "additive",
    "srae": "srae",
}
MAIN_GAMMA = 0.05  # masked_accuracy without a variant
_NAME = ["explainer", "variant", "metric"]
_SETTING = ["paper", "table", "dataset", "setting", "performer", "metric"]


@functools.cache
def published() -> pd.DataFrame:
    """All published values but those on training data, as printed in the papers.

    `explainer(a=b)` is split into `explainer` and `variant`; `metric` is ours (`masked_accuracy@gamma=0.1`);
    `section` is single or multi, as of our boards; the mean over the parts of a category (`dog/mean`) counts as a mean.
    partbench scores test images only, so training data has no match.
    """
    with (files("partbench.leaderboard") / "published.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, keep_default_na=False, dtype={"table": str})
    table = table[~table["setting"].str.endswith("_train")]
    names = table["explainer"].str.extract(r"^([^(]+)(?:\((.*)\))?$")
    section = table["setting"].str.startswith("multi").map({True: "multi", False: "single"})
    metric = [_metric(*row) for row in zip(table["metric"], table["setting"], strict=True)]
    category = table["category"].str.replace(r"^[^/]+/mean$", "mean", regex=True)
    split = {"explainer": names[0], "variant": names[1].fillna("")}
    return table.assign(**split, section=section, metric=metric, category=category)


def same_data(standing: Mapping[Hashable, Any] | pd.Series) -> str:
    """What the papers print for the same explainer, metric, dataset and categories as a row of `standings.board`.

    Averaged over our categories where the paper lists them, else the paper's mean over all of its own. Where the
    paper used our performer only that one is shown, else the mean and range over its networks. "" if nothing matches.
    """
    rows = _matching(standing)
    if rows.empty:
        return ""
    if (rows["performer"] == standing["performer"]).any():
        rows = rows[rows["performer"] == standing["performer"]]
    ours = list(standing["categories"])
    listed = rows[rows["category"].isin(ours)]
    complete = listed.groupby(["paper", "table", "setting", "performer"])["category"].transform("nunique") == len(ours)
    means = rows[rows["category"] == "mean"]
    chosen, note = (listed[complete], "") if len(ours) and complete.any() else (means, " over all its categories")
    if chosen.empty:
        return ""
    networks = chosen.groupby("performer")["value"].mean()
    spread = f" ({networks.min():.3f} to {networks.max():.3f}" if len(networks) > 1 else " ("
    return f"{networks.mean():.3f}{spread}{'; ' if len(networks) > 1 else ''}{', '.join(networks.index)}{note})"


def elsewhere(standings: pd.DataFrame) -> pd.DataFrame:
    """The published means of the measured (metric, explainer) pairs, whatever their data; one row per paper's table.

    Columns: metric, higher_is_better, explainer, variant, ours, published (mean over networks), dataset, setting,
    networks, source.
    """
    ours = standings.loc[standings["value"].notna(), [*_NAME, "dataset", "higher_is_better", "value"]]
    both = ours.rename(columns={"value": "ours"}).merge(_means(), on=_NAME, suffixes=("_ours", ""))
    both = both[both["dataset"] != both["dataset_ours"]]
    columns = ["metric", "higher_is_better", "explainer", "variant", "ours", "published", "dataset", "setting"]
    source = [f"{paper}, table {table}" for paper, table in zip(both["paper"], both["table"], strict=True)]
    return both.assign(source=source)[[*columns, "networks", "source"]].reset_index(drop=True)


@functools.cache
def pairs() -> pd.DataFrame:
    """Each comparison a paper prints: its own explainer against another with the same data, setting and network.

    Columns: paper, dataset, setting, performer, metric, explainer, other, value, other_value. The measured network
    itself (`performer`) is no explainer and is left out; a comparison printed twice counts once.
    """
    means = published()
    means = means[(means["category"] == "mean") & (means["explainer"] != "performer") & (means["variant"] == "")]
    means = means[[*_SETTING, "explainer", "value"]]
    proposed = means["explainer"] == means["paper"].map(PROPOSED)
    others = means[~proposed].rename(columns={"explainer": "other", "value": "other_value"})
    merged = means[proposed].merge(others, on=_SETTING)
    columns = ["paper", "dataset", "setting", "performer", "metric", "explainer", "other"]
    return merged.drop_duplicates(columns)[[*columns, "value", "other_value"]].reset_index(drop=True)


def published_ratio(explainer: str, metric: str, dataset: str, board: str) -> str:
    """The published ratio of a paper's own explainer to its `top_conv`: mean and range over the paper's networks.

    Of the paper's settings, those of the board's kind (single or multi), on this dataset, else on every other, named.
    "" if there is none.
    """
    if _section(board) not in ("single", "multi"):
        return ""
    table = pairs()
    table = table[(table["explainer"] == explainer) & (table["other"] == "top_conv") & (table["metric"] == metric)]
    table = table[table["setting"].str.startswith("multi") == (_section(board) == "multi")]
    if (table["dataset"] == dataset).any():
        table = table[table["dataset"] == dataset]
    ratios = table.assign(ratio=table["value"] / table["other_value"]).groupby(["dataset", "setting"], sort=True)[
        "ratio"
    ]
    return ", ".join(_ratio(values, *where) for where, values in ratios)


def _ratio(values: pd.Series, dataset: str, setting: str) -> str:
    spread = f" ({values.min():.2f} to {values.max():.2f})" if len(values) > 1 else ""
    return f"{values.mean():.2f}{spread} {dataset}{'' if setting in ('single', 'multi') else ' ' + setting}"


@functools.cache
def _means() -> pd.DataFrame:
    """The published means over networks, a row per explainer with variant, metric, and table with data and setting."""
    means = published()[published()["category"] == "mean"]
    groups = means.groupby([*_NAME, "paper", "table", "dataset", "setting"])
    networks = groups["performer"].agg(lambda names: ", ".join(sorted(filter(None, set(names)))))
    return pd.DataFrame({"published": groups["value"].agg(lambda v: v.mean()), "networks": networks}).reset_index()


@functools.cache
def _by_name() -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(iter(published().groupby([*_NAME, "dataset", "section"], sort=True)))


def _matching(standing: Mapping[Hashable, Any] | pd.Series) -> pd.DataFrame:
    name = (*(standing[name] for name in _NAME), standing["dataset"], _section(standing["board"]))
    return _by_name().get(name, published().iloc[:0])


def _section(board: str) -> str:
    return board.partition("@")[0].rpartition("/")[2]


def _metric(metric: str, setting: str) -> str:
    gamma = re.fullmatch(r"gamma=([\d.]+)%", setting)
    if gamma is None or float(gamma[1]) / 100 == MAIN_GAMMA:
        return metric
    return f"{metric}@gamma={float(gamma[1]) / 100:g}"
