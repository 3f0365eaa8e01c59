"""Pictures of the site: of the best and of the worst task of each explainer, chosen by a rule, not by hand."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS
from partbench.results.schema import picture_path

FOLDER, SUFFIX = "pictures", ".webp"
WIDTH, QUALITY = 1400, 80  # a sheet of some 900 kB takes about 100
RENDERED = ("fauna", "fauna_species", "fauna_scenes")  # photographs belong to their owners
MOST_BYTES = 6_000_000
_READ = ["explainer", "variant", "dataset", "task", "seed", "cell", "metric", "value", "higher_is_better"]


@dataclass(frozen=True)
class Chosen:
    """A picture of a cell: where it lies in the site, the cell, task, seed, and the value that decided."""

    path: str
    cell: str
    task: str
    seed: int
    metric: str
    value: float


def chosen_pictures(
    data: SiteData, folder: Path, datasets: tuple[str, ...] | None = RENDERED, suffix: str = SUFFIX
) -> dict[str, list[Chosen]]:
    """By explainer, the pictures of its best and of its worst cell, of those in `folder`.

    The folder is that of a site or, with `suffix` ".png", one as `bench run` writes it. Only cells with default options
    and a picture count; of several seeds of a task, the lowest. The metric that decides is the first by name that reads
    maps and that at least two such cells have, else that one has. `datasets`: those whose pictures may be shown; None:
    all.
    """
    if not folder.is_dir():
        return {}
    rows = _rows_of_maps(data, datasets)
    cells = rows.drop_duplicates("cell").to_dict("records")
    there = {row["cell"] for row in cells if picture_path(folder, row).with_suffix(suffix).is_file()}
    return _extremes(rows[rows["cell"].isin(there)])


def pictures_to_draw(data: SiteData) -> dict[str, list[Chosen]]:
    """By explainer, the pictures that the site would show if all cells of rendered images had one."""
    return _extremes(_rows_of_maps(data, RENDERED))


def _rows_of_maps(data: SiteData, datasets: tuple[str, ...] | None) -> pd.DataFrame:
    rows = data.rows[[*_READ, "scored"]]
    rows = rows if datasets is None else rows[rows["dataset"].isin(datasets)]
    of_maps = [name for name in rows["metric"].unique() if "@" not in name and name not in METRICS_WITHOUT_MAPS]
    rows = rows[rows["metric"].isin(of_maps)]
    return rows.loc[rows["scored"] & (rows["variant"] == "") & rows["higher_is_better"].notna(), _READ]


def _extremes(rows: pd.DataFrame) -> dict[str, list[Chosen]]:
    rows = rows.sort_values(["explainer", "task", "seed", "metric"])
    rows = rows.drop_duplicates(["explainer", "task", "metric"])
    return {str(name): _best_and_worst(of_one) for name, of_one in rows.groupby("explainer", sort=True)}


def _best_and_worst(rows: pd.DataFrame) -> list[Chosen]:
    counts = rows["metric"].value_counts()
    metric = min(name for name in counts.index if counts[name] >= min(2, counts.max()))
    rows = rows[rows["metric"] == metric]
    rows = rows.sort_values(["value", "task"], ascending=[not rows["higher_is_better"].iloc[0], True])
    ends = rows.iloc[[0, -1]] if len(rows) > 1 else rows
    return [
        Chosen(
            picture_path(Path(FOLDER), row).with_suffix(SUFFIX).as_posix(),
            str(row["cell"]),
            row["task"],
            int(row["seed"]),
            metric,
            row["value"],
        )
        for row in ends.to_dict("records")
    ]


def pictures_from(
    data: SiteData, drawn: Path | None, site: Path, datasets: tuple[str, ...] | None, limit: int = MOST_BYTES
) -> dict[str, bytes]:
    """Name in the site and bytes of the chosen pictures: of each explainer those in `drawn`, else those of the site.

    Pictures in `drawn` are made smaller. Explainers come in order of their names; a picture that would exceed `limit`
    bytes together is left out.
    """
    fresh = chosen_pictures(data, drawn, datasets, ".png") if drawn is not None else {}
    chosen = {**chosen_pictures(data, site / FOLDER, datasets), **fresh}
    found: dict[str, bytes] = {}
    for name in sorted(chosen):
        for picture in chosen[name]:
            content = _smaller(drawn, picture) if drawn and name in fresh else (site / picture.path).read_bytes()
            if sum(map(len, found.values())) + len(content) <= limit:
                found[picture.path] = content
    return found


def _smaller(drawn: Path, picture: Chosen) -> bytes:
    from PIL import Image

    path = (drawn / Path(picture.path).relative_to(FOLDER)).with_suffix(".png")
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDTH, WIDTH * 4))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()
