"""The numbers printed in the papers, under the names of partbench; never mixed with measured values."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from partbench.leaderboard.boards import kind_of
from partbench.leaderboard.score import Score

MAIN_GAMMA = 0.05  # masked_accuracy without a variant
# By paper and metric: the variant here that reads a printed value as the paper does.
_VARIANTS = {
    ("additive-explainer", "accuracy"): "accuracy@fitted_threshold",
    ("additive-explainer", "contribution_entropy"): "contribution_entropy@nats",
}
_NAME = ["explainer", "variant", "metric"]
_SETTING = ["paper", "table", "dataset", "setting", "board", "performer", "metric"]


@dataclass(frozen=True)
class Paper:
    """A paper whose numbers are in published.csv; `proposed` is the explainer that it proposes."""

    name: str
    proposed: str
    title: str
    authors: str
    venue: str
    year: str
    arxiv: str

    @property
    def bibtex(self) -> str:
        """The entry of the paper."""
        lines = {"title": f"{{{self.title}}}", "author": self.authors, "year": self.year}
        if self.venue == "arXiv preprint":
            kind, where = "misc", {}
        elif "Conference" in self.venue:
            kind, where = "inproceedings", {"booktitle": self.venue}
        else:
            kind, where = "article", {"journal": self.venue}
        fields = {**lines, **where, "eprint": self.arxiv, "archiveprefix": "arXiv"}
        width = max(map(len, fields))
        body = ",\n".join(f"  {name:<{width}} = {{{text}}}" for name, text in fields.items())
        return f"@{kind}{{{self.name},\n{body}\n}}"


@functools.cache
def papers() -> tuple[Paper, ...]:
    """The papers whose numbers are in published.csv."""
    return tuple(Paper(paper, *rest) for paper, *rest in _data("published_papers.csv").itertuples(index=False))


@functools.cache
def published() -> pd.DataFrame:
    """All published values but those on training data, as printed in the papers.

    `explainer(a=b)` is split into `explainer` and `variant`; `metric` is ours (`masked_accuracy@gamma=0.1`,
    `contribution_entropy@nats`); `board` is the kind of our boards that a setting belongs to (`*`: binary networks;
    `multi:*`: one logit of a network of many classes); the mean over the parts of a category (`dog/mean`) counts as a
    mean. published_settings.csv says which settings are of which boards; those on training data are of none, since
    partbench scores test images only.
    """
    table = _data("published.csv").astype({"value": float}).merge(_data("published_settings.csv"), on="setting")
    table = table[table["board"] != ""].reset_index(drop=True)
    names = table["explainer"].str.extract(r"^([^(]+)(?:\((.*)\))?$")
    metric = [_metric(*row) for row in zip(table["paper"], table["metric"], table["setting"], strict=True)]
    category = table["category"].str.replace(r"^[^/]+/mean$", "mean", regex=True)
    return table.assign(explainer=names[0], variant=names[1].fillna(""), metric=metric, category=category)


@functools.cache
def proposed() -> dict[str, str]:
    """The explainer that each paper proposes; its tables compare it with the others."""
    return {paper.name: paper.proposed for paper in papers()}


def same_data(score: Score) -> str:
    """What the papers print for the same explainer, metric, dataset and categories as a score.

    Averaged over our categories where the paper lists them, else the paper's mean over all of its own. Where the
    paper used our performer only that one is shown, else the mean and range over its networks. "" if nothing matches.
    """
    rows = _matching(score)
    if rows is None:
        return ""
    if (rows["performer"] == score.performer).any():
        rows = rows[rows["performer"] == score.performer]
    ours = list(score.categories)
    listed = rows[rows["category"].isin(ours)]
    complete = listed.groupby(["paper", "table", "setting", "performer"])["category"].transform("nunique") == len(ours)
    means = rows[rows["category"] == "mean"]
    chosen, note = (listed[complete], "") if len(ours) and complete.any() else (means, " over all its categories")
    if chosen.empty:
        return ""
    networks = chosen.groupby("performer")["value"].mean()
    spread = f" ({networks.min():.3f} to {networks.max():.3f}" if len(networks) > 1 else " ("
    return f"{networks.mean():.3f}{spread}{'; ' if len(networks) > 1 else ''}{', '.join(networks.index)}{note})"


def elsewhere(scores: Iterable[Score]) -> pd.DataFrame:
    """The published means of the measured (metric, explainer) pairs, whatever their data; one row per paper's table.

    Columns: metric, higher_is_better, explainer, variant, ours, published (mean over networks), dataset, setting,
    networks, source.
    """
    names = [*_NAME, "dataset", "higher_is_better"]
    known = [(*(getattr(score, name) for name in names), score.value) for score in scores if score.value is not None]
    both = pd.DataFrame(known, columns=[*names, "ours"]).merge(_means(), on=_NAME, suffixes=("_ours", ""))
    both = both[both["dataset"] != both["dataset_ours"]]
    columns = ["metric", "higher_is_better", "explainer", "variant", "ours", "published", "dataset", "setting"]
    source = [f"{paper}, table {table}" for paper, table in zip(both["paper"], both["table"], strict=True)]
    return both.assign(source=source)[[*columns, "networks", "source"]].reset_index(drop=True)


@functools.cache
def published_pairs() -> pd.DataFrame:
    """Each comparison a paper prints: its own explainer against another with the same data, setting and network.

    Columns: paper, dataset, setting, board, performer, metric, explainer, other, value, other_value. The measured
    network itself (`performer`) is no explainer and is left out; a comparison printed twice counts once.
    """
    means = published()
    means = means[(means["category"] == "mean") & (means["explainer"] != "performer") & (means["variant"] == "")]
    means = means[[*_SETTING, "explainer", "value"]]
    own = means["explainer"] == means["paper"].map(proposed())
    others = means[~own].rename(columns={"explainer": "other", "value": "other_value"})
    merged = means[own].merge(others, on=_SETTING)
    columns = ["paper", "dataset", "setting", "board", "performer", "metric", "explainer", "other"]
    return merged.drop_duplicates(columns)[[*columns, "value", "other_value"]].reset_index(drop=True)


def published_ratio(explainer: str, other: str, metric: str, dataset: str, board: str) -> str:
    """The published ratio of a paper's own explainer to another: mean and range over the paper's networks.

    Of the paper's settings, those of the board's kind, on this dataset, else on every other, named. "" if there is
    none.
    """
    return _published_ratio(explainer, other, metric, dataset, kind_of(board))


@functools.cache
def _published_ratio(explainer: str, other: str, metric: str, dataset: str, kind: str) -> str:
    table = _pairs_by_name().get((explainer, other, metric, kind))
    if table is None:
        return ""
    if (table["dataset"] == dataset).any():
        table = table[table["dataset"] == dataset]
    table = table.assign(ratio=table["value"] / table["other_value"])
    ratios = table.groupby(["dataset", "setting"], sort=True)["ratio"]
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
def _pairs_by_name() -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(iter(published_pairs().groupby(["explainer", "other", "metric", "board"], sort=True)))


@functools.cache
def _by_name() -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(iter(published().groupby([*_NAME, "dataset", "board"], sort=True)))


def _matching(score: Score) -> pd.DataFrame | None:
    return _by_name().get((score.explainer, score.variant, score.metric, score.dataset, kind_of(score.board)))


def _data(name: str) -> pd.DataFrame:
    with (files("partbench.leaderboard") / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False, dtype=str).astype(object)  # quicker to read one by one


def _metric(paper: str, metric: str, setting: str) -> str:
    metric = _VARIANTS.get((paper, metric), metric)
    gamma = re.fullmatch(r"gamma=([\d.]+)%", setting)
    if gamma is None or float(gamma[1]) / 100 == MAIN_GAMMA:
        return metric
    return f"{metric}@gamma={float(gamma[1]) / 100:g}"
