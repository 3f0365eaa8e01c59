"""Pictures of the site: of the best and of the worst task of each explainer, chosen by a rule, not by hand."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS
from partbench.results.schema import picture_path

FOLDER, SUFFIX = "pictures", ".webp"
WIDTH, QUALITY = 1400, 80  # a sheet of some 900 kB takes about 100
RENDERED = ("fauna", "fauna_species", "fauna_scenes")  # photographs belong to their owners
MOST_BYTES = 6_000_000
_ORDER = (RANKS, SCREENS, "", NOT_HERE)
_COMPARABLE = "relative_deviation"  # in one unit on all tasks and networks, and hardly ever tied


@dataclass(frozen=True)
class Chosen:
    """A picture of a cell: where it lies in the site, the cell, task, seed, and the value that decided.

    use: what the metric is good for there, as its card says.
    """

    path: str
    cell: str
    task: str
    seed: int
    metric: str
    value: float
    use: str


def chosen_pictures(
    data: SiteData, folder: Path, datasets: tuple[str, ...] | None = RENDERED, suffix: str = SUFFIX
) -> dict[str, list[Chosen]]:
    """By explainer, the pictures of its best and of its worst cell, of those in `folder`.

    The folder is that of a site or, with `suffix` ".png", one as `bench run` writes it. Only cells with default options
    and a picture count; of several seeds of a task, the lowest. The metric that decides is one that at least two such
    cells have, else one has. By its card it ranks there, else it reads maps and screens, else it reads maps. If several
    do, it is `relative_deviation`, else the first by name. `datasets`: those whose pictures may be shown; None: all.
    """
    rows = data.rows_of_maps
    rows = rows if datasets is None else rows[rows["dataset"].isin(datasets)]
    cells = rows.drop_duplicates("cell").to_dict("records") if folder.is_dir() else []
    there = {row["cell"] for row in cells if picture_path(folder, row).with_suffix(suffix).is_file()}
    return _extremes(rows[rows["cell"].isin(there)])


def pictures_to_draw(data: SiteData) -> dict[str, list[Chosen]]:
    """By explainer, the pictures that the site would show if all cells of rendered images had one.

    Without those of performers that a task has to name, which need not be at hand.
    """
    rows = data.rows_of_maps
    return _extremes(rows[rows["dataset"].isin(RENDERED) & ~rows["task"].str.contains("@")])


def _extremes(rows: pd.DataFrame) -> dict[str, list[Chosen]]:
    rows = rows.sort_values(["explainer", "task", "seed", "metric"])
    rows = rows.drop_duplicates(["explainer", "task", "metric"])
    return {str(name): _best_and_worst(of_one) for name, of_one in rows.groupby("explainer", sort=True)}


def _best_and_worst(rows: pd.DataFrame) -> list[Chosen]:
    def late(decides: tuple[str, str]) -> tuple[bool, int, bool, str]:
        use, metric = decides
        return len(kinds[decides]) < 2, _ORDER.index(use), metric != _COMPARABLE, metric

    kinds = {(str(use), str(metric)): of for (use, metric), of in rows.groupby(["use", "metric"])}
    use, metric = min(kinds, key=late)
    rows = kinds[use, metric]
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
            use,
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
