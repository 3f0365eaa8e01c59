from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from PIL import Image
from planted_results import cell, planted

from partbench.leaderboard.site.build import SiteMaterial, stale_site, write_site
from partbench.leaderboard.site.data import SiteData, site_data
from partbench.leaderboard.site.pictures import chosen_pictures, pictures_from, pictures_to_draw
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.uses import Uses
from partbench.results.schema import picture_path


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> tuple[SiteData, Path]:
    """Cells of three tasks with two seeds, of rendered animals and of photographs, each with a picture."""
    pictures, rows = tmp_path_factory.mktemp("pictures"), []
    for dataset in ("fauna", "animal_part"):
        for task, value in enumerate((0.5, 0.2, 0.9)):
            for seed in range(2):
                rows += cell("srae", task, seed, {"locality": value + seed, "part_following": value}, dataset=dataset)
    evidence = site_data(Sources(*planted(rows)))
    for number, row in enumerate(evidence.rows.drop_duplicates("cell").to_dict("records")):
        path = picture_path(pictures, row)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3000, 1500), (number, 0, 0)).save(path)
    return evidence, pictures


def test_the_best_and_the_worst_task_are_chosen_of_the_lowest_seed(pictured: tuple[SiteData, Path]) -> None:
    (best, worst) = chosen_pictures(*pictured, suffix=".png")["srae"]
    assert (best.task, best.seed, best.metric, best.value) == ("fauna/multi:t1", 0, "locality", 0.2)
    assert (worst.task, worst.seed, worst.metric, worst.value) == ("fauna/multi:t2", 0, "locality", 0.9)


USES = {("part_following", "fauna"): "screens only", ("locality", "fauna"): "do not use here"}


def test_a_metric_that_is_good_for_more_decides_before_others(pictured: tuple[SiteData, Path]) -> None:
    evidence, folder = pictured

    def decides(uses: Uses) -> tuple[str, str]:
        first = chosen_pictures(dataclasses.replace(evidence, uses=uses), folder, suffix=".png")["srae"][0]
        return first.metric, first.use

    assert decides(USES) == ("part_following", "screens only")
    assert decides(USES | {("locality", "fauna"): "ranks"}) == ("locality", "ranks")
    assert decides(dict.fromkeys(USES, "do not use here")) == ("locality", "do not use here")
    assert decides({}) == ("locality", "")


def test_a_metric_without_maps_decides_only_where_it_ranks_and_for_explainers_with_maps(tmp_path: Path) -> None:
    rows = []
    for name, metrics in {"srae": ["accuracy", "relative_deviation", "locality"], "logits": ["accuracy"]}.items():
        for task in range(2):
            rows += cell(name, task, 0, dict.fromkeys(metrics, task + 0.5))
    rows += cell("srae", "multi:t3@mine", 0, {"relative_deviation": 9.0, "locality": 9.0})
    evidence = site_data(Sources(*planted(rows)))
    for use, metric in (("ranks", "relative_deviation"), ("screens only", "locality")):
        uses = {(name, "fauna"): use for name in ("accuracy", "relative_deviation", "locality")}
        found = pictures_to_draw(dataclasses.replace(evidence, uses=uses))
        assert set(found) == {"srae"}
        assert {picture.metric for picture in found["srae"]} == {metric}
        assert not any("@mine" in picture.task for picture in found["srae"])


def test_the_page_says_which_metric_chose_the_pictures(pictured: tuple[SiteData, Path], tmp_path: Path) -> None:
    evidence, pictures = pictured
    write_site(tmp_path / "site", dataclasses.replace(evidence, uses=USES), SiteMaterial(), pictures)
    page = (tmp_path / "site" / "explainers" / "srae.html").read_text()
    assert "the best and the worst in <a href=../metrics/part_following.html>part_following</a>" in page
    assert "a metric that screens" in page


def test_photographs_are_shown_only_if_asked_for(pictured: tuple[SiteData, Path], tmp_path: Path) -> None:
    evidence, pictures = pictured
    for photographs in (False, True):
        folder = tmp_path / f"site-{photographs}"
        write_site(folder, evidence, SiteMaterial(), pictures, photographs)
        shown = {path.relative_to(folder / "pictures").parts[0] for path in folder.rglob("*.webp")}
        assert ("animal_part" in shown) == photographs
        assert stale_site(folder, evidence, SiteMaterial()) == []


def test_pictures_in_the_site_stay_where_no_new_ones_are_at_hand(
    pictured: tuple[SiteData, Path], tmp_path: Path
) -> None:
    evidence, pictures = pictured
    write_site(tmp_path / "site", evidence, SiteMaterial(), pictures)
    (tmp_path / "site" / "pictures" / "left.webp").write_bytes(b"of a cell that is no more")
    written = write_site(tmp_path / "site", evidence, SiteMaterial(), tmp_path / "no pictures")
    assert sorted(path for path in written if path.suffix == ".webp") == sorted((tmp_path / "site").rglob("*.webp"))
    assert len(list((tmp_path / "site").rglob("*.webp"))) == 2


def test_pictures_beyond_the_limit_are_left_out(pictured: tuple[SiteData, Path], tmp_path: Path) -> None:
    evidence, drawn = pictured
    every = pictures_from(evidence, drawn, tmp_path / "site", None)
    assert len(every) == 2
    limit = sum(map(len, every.values())) - 1
    assert len(pictures_from(evidence, drawn, tmp_path / "site", None, limit)) == 1


def test_pictures_become_smaller(pictured: tuple[SiteData, Path], tmp_path: Path) -> None:
    evidence, drawn = pictured
    for content in pictures_from(evidence, drawn, tmp_path / "site", None).values():
        assert Image.open(io.BytesIO(content)).size == (1400, 700)


def test_a_folder_without_pictures_gives_none(evidence: SiteData, tmp_path: Path) -> None:
    assert chosen_pictures(evidence, tmp_path / "absent") == {}
