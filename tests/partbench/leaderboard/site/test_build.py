"""The site as a whole: in a browser, as bytes, and when results change."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from planted_results import cell, frame, planted

from partbench.errors import InputError
from partbench.leaderboard.site.boards import boards
from partbench.leaderboard.site.build import SiteMaterial, site_pages, stale_site, write_site
from partbench.leaderboard.site.data import SiteData, site_data
from partbench.leaderboard.site.home import home
from partbench.leaderboard.site.metric_pages import metric_pages
from partbench.leaderboard.site.templating import STATIC, static
from partbench.leaderboard.sources import Sources

Visit = Callable[..., Any]
# A page of each kind.
PAGES = ["index.html", "explainers/srae.html", "metrics/locality.html", "compare.html", "scatter.html", "claims.html",
         "datasets/fauna.html", "explainers.html"]  # fmt: skip
DARK = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def names(page: Any, table: str) -> list[str]:
    return page.locator(f"#{table} tbody th").all_inner_texts()


@pytest.mark.parametrize(("scheme", "rules", "pages"), [("light", {}, PAGES), ("dark", DARK, PAGES[:3])])
def test_axe_finds_no_violation(site: Path, visit: Visit, scheme: str, rules: dict[str, Any], pages: list[str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit(site / pages[0], color_scheme=scheme)
    for name in pages:
        page.goto((site / name).as_uri())
        found = axe.Axe().run(page, options={"preload": False} | rules).response
        assert found["passes"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == [], name


def test_no_page_is_wider_than_a_small_telephone(site: Path, visit: Visit) -> None:
    page = visit(site / PAGES[0], viewport={"width": 390, "height": 800})
    for name in PAGES:
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_hostile_texts_stay_texts(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html")
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("window.hurt === undefined && !document.querySelector('img, main script:not([type])')"), (
            path
        )
    page.goto((site / "index.html").as_uri())
    assert any("<script>window.hurt=1</script>" in name and "{{7*7}}" in name for name in names(page, "board-1"))


def test_all_numbers_can_be_read_without_javascript(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html", java_script_enabled=False)
    assert page.locator("#board-1 tr", has_text="srae").text_content().startswith("srae0.2001")
    assert page.locator(".tools:visible").count() == 0
    assert "needs JavaScript" in visit(site / "compare.html", java_script_enabled=False).inner_text("main")


def test_a_column_sorts_its_best_first_and_the_address_remembers_it(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html")
    page.click("#board-1 thead th:nth-child(2) button")
    values = [float(text[:5]) for text in page.locator("#board-1 tbody td:nth-child(2)").all_inner_texts()]
    assert values == sorted(values)
    assert len(set(values)) > 3
    again = visit(site / "index.html", page.evaluate("location.hash"))
    assert names(again, "board-1") == names(page, "board-1") != names(visit(site / "index.html"), "board-1")


def test_cells_are_sorted_by_what_their_text_means(
    evidence: SiteData, material: SiteMaterial, visit: Visit, tmp_path: Path
) -> None:
    seconds = {"srae": 90.0, "nn": 0.004, "=1+1": 20.0}
    rows = evidence.rows.assign(fit_seconds=evidence.rows["explainer"].map(seconds))
    write_site(tmp_path, dataclasses.replace(evidence, rows=rows), material)
    page = visit(tmp_path / "index.html", "#chooser.sort=2.ascending")
    shown = page.locator("#chooser tbody td:nth-child(3)").all_inner_texts()
    assert shown == ["4.0 ms", "20 s", "1.5 min", "—"]
    page = visit(tmp_path / "metrics" / "locality.html", "#ranking-1.sort=2.descending")
    assert [text[:5] for text in page.locator("#ranking-1 td:nth-child(3)").all_inner_texts()] == [
        "0.900", "0.400", "0.300", "0.250", "0.200",
    ]  # fmt: skip


def test_a_further_board_of_fifteen_explainers_costs_little(evidence: SiteData) -> None:
    """A board as `cub/multi:*`: fifteen metrics, ten explainers that are ranked and compared, five floors."""
    names = [f"explainer_{at:02}" for at in range(15)]
    one = dataclasses.replace(evidence.scores[0], ranks=(2, 4), of=10, low=0.187, high=0.213, one_seed=True)

    def like(table: pd.DataFrame, changes: list[dict[str, str]]) -> pd.DataFrame:
        return pd.DataFrame([table.iloc[0].to_dict() | one for one in changes])

    def bytes_of(boards: list[str]) -> int:
        places = [*itertools.product(boards, [f"name_of_metric_{at:02}" for at in range(15)])]
        scores = [
            dataclasses.replace(one, board=board, metric=metric, explainer=name)
            for (board, metric), name in itertools.product(places, names)
        ]
        each = itertools.product(places, names)
        rows = like(evidence.rows, [{"board": b, "metric": m, "explainer": n, "label": n} for (b, m), n in each])
        compared = itertools.product(places, itertools.combinations(names[:10], 2))
        pairs = like(evidence.pairs, [{"board": x, "metric": y, "a": a, "b": b} for (x, y), (a, b) in compared])
        return sum(len(text.encode()) for text in site_pages(SiteData(rows, scores, pairs), SiteMaterial()).values())

    boards = ["animals/multi:*", "animals/multi:*@lite0"]
    further = bytes_of(boards) - bytes_of(boards[:1])
    assert 0 < further < 120_000


def test_filters_leave_what_matches_and_the_address_remembers_them(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html")
    page.fill(".tools[data-for=board-1] input[type=search]", "SRA")
    assert names(page, "board-1") == ["srae"]
    page.check("[data-has=maps]")
    assert page.inner_text(".choose output") == "4 of 4"
    page.select_option("[data-most=fit]", "1")
    assert page.inner_text(".choose output") == "0 of 4"
    again = visit(site / "index.html", page.evaluate("location.hash"))
    assert names(again, "board-1") == ["srae"]
    assert again.inner_text(".choose output") == "0 of 4"


def test_a_table_is_copied_as_csv_without_formulas_and_as_latex(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click(".tools[data-for=board-1] [data-copy=csv]")
    page.locator(".said", has_text="Copied as CSV").wait_for(state="attached")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0] == "Explainer,locality ↓,location_instability ↓"
    assert "'=1+1,0.400,0.400" in copied
    page.click(".tools[data-for=board-1] [data-copy=latex]")
    page.locator(".said", has_text="Copied as LaTeX").wait_for(state="attached")
    assert r"location\_instability $\downarrow$ \\" in page.evaluate("navigator.clipboard.readText()")


def test_the_citation_of_a_paper_is_copied_as_bibtex(site: Path, visit: Visit) -> None:
    page = visit(site / "explainers" / "srae.html", permissions=["clipboard-read", "clipboard-write"])
    page.click(".bibtex [data-copy=text]")
    page.wait_for_function("document.querySelector('.said').textContent === 'Copied as BibTeX'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.inner_text(".bibtex pre")
    assert re.fullmatch(r"@(article|inproceedings|misc)\{\w+,\n(\s+\w+\s+= \{.*\},?\n)+\}", copied.strip())


PRINTABLE = 1032  # px: A4 across, less its margins


@pytest.mark.parametrize("name", ["index.html", "explainers/srae.html", "metrics/locality.html", "claims.html"])
def test_print_leaves_out_buttons_and_fits_the_sheet(site: Path, visit: Visit, name: str) -> None:
    page = visit(site / name, viewport={"width": PRINTABLE, "height": 700})
    page.emulate_media(media="print")
    assert page.locator(".tools:visible, .theme:visible, .top nav:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PRINTABLE
    for table in page.locator("main table").all():
        assert table.evaluate("table => table.getBoundingClientRect().right") <= PRINTABLE
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_a_against_b_is_b_against_a_turned_round(site: Path, visit: Visit) -> None:
    shown = []
    for address in ("#a=srae&b=nn", "#a=nn&b=srae"):
        page = visit(site / "compare.html", address)
        shown.append(page.locator("#compared tbody tr").first.locator("th, td").all_inner_texts())
    (_, _, card, mine, theirs, difference, between, *_, verdict), (_, _, _, b, a, other, _, *_, turned) = shown
    assert card == "—"
    assert (mine, theirs) == (a, b) == ("0.200", "0.300")
    assert float(difference) == -float(other) == -0.1
    assert float(between.split(" to ")[0]) < -0.1 < float(between.split(" to ")[1]) < 0
    assert (verdict, turned) == ("A better", "B better")


def test_the_scatter_has_a_point_for_each_explainer_of_the_board(site: Path, visit: Visit) -> None:
    page = visit(site / "scatter.html", "#x=location_instability&y=locality")
    assert page.locator("#plot circle").count() == 4
    assert page.locator("#plot rect").count() == 1
    page.uncheck("[name=controls]")
    assert page.locator("#plot rect").count() == 0
    assert page.locator("#points tbody tr").count() == 4


@pytest.fixture(scope="module")
def told_apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crowded board on which two metrics rank, and the first explainer has neither of them."""
    means = {"accuracy": 0.1, "average_precision": 0.2, "locality": 0.3, "masked_accuracy": 0.4}
    rows = []
    for at, name in enumerate([f"explainer_{number:02}" for number in range(20)]):
        values = {metric: mean + 0.02 * at for metric, mean in means.items()}
        values["average_precision"] = 0.2 + 0.02 * (at * 7 % 20)
        values = {"locality": 0.3} if not at else values
        for task, seed in itertools.product(range(3), range(2)):
            rows += cell(name, task, seed, values, higher_is_better=True)
    uses = {(metric, "fauna"): "ranks" for metric in ("accuracy", "average_precision")}
    uses |= {("locality", "fauna"): "do not use here", ("masked_accuracy", "fauna"): "screens only"}
    folder = tmp_path_factory.mktemp("told")
    write_site(folder, site_data(Sources(*planted(rows)), uses), SiteMaterial())
    return folder


def test_boards_and_pages_of_explainers_have_ranks_only_in_metrics_that_rank(told_apart: Path) -> None:
    for name, row in (("index.html", "explainers/explainer_05.html"), ("explainers/explainer_05.html", "index.html#")):
        [line] = [line for line in (told_apart / name).read_text().splitlines() if f"{row}" in line and "<td" in line]
        accuracy, precision, locality, masked = re.findall(r"<td[^>]*>[\d.]+[†‡¹]*(?:<small>[^<]*)?", line)[:4]
        assert all(
            "class=s" in text and "<small>" in text and "<small></" not in text for text in (accuracy, precision)
        )
        assert not any("class=s" in text or re.search(r"<small>\d", text) for text in (locality, masked))


def test_the_comparison_opens_on_verdicts_in_metrics_that_rank(told_apart: Path, visit: Visit) -> None:
    page = visit(told_apart / "compare.html")
    lines = [row.locator("th, td").all_inner_texts() for row in page.locator("#compared tbody tr").all()]
    assert [line[2] for line in lines] == ["ranks"] * 2
    assert {line[-1] for line in lines} == {"A better", "B better"}
    assert "Not shown: 2 in metrics that do not rank." in page.inner_text("#summary")
    page.check("[name=every]")
    cards = page.locator("#compared tbody td:nth-child(3)").all_inner_texts()
    assert sorted(cards) == ["do not use here", "ranks", "ranks", "screens only"]
    again = visit(told_apart / "compare.html", page.evaluate("location.hash"))
    assert again.locator("#compared tbody tr").count() == 4


def test_the_scatter_opens_on_metrics_that_rank_and_says_of_others_what_they_are(
    told_apart: Path, visit: Visit
) -> None:
    page = visit(told_apart / "scatter.html")
    shown = [page.eval_on_selector(f"[name={name}]", "one => one.selectedOptions[0].text") for name in ("x", "y")]
    assert shown == ["accuracy", "average_precision"]
    assert page.inner_text("#worth") == ""
    page.select_option("[name=y]", label="locality")
    assert page.inner_text("#worth") == "The card of locality says: do not use here."


OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('#plot text.name:not(.pointed)')].slice(2).map((one) => one.getBBox());
  const marks = [...document.querySelectorAll('#plot circle')].map((one) => one.getBBox());
  const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
    && a.y + 2 < b.y + b.height - 2 && b.y + 2 < a.y + a.height - 2;
  return [boxes.length, boxes.some((a, at) => boxes.some((b, of) => at < of && meet(a, b))),
    boxes.some((a) => marks.some((b) => meet(a, b)))];
}"""


def test_names_in_the_scatter_cover_neither_each_other_nor_marks(told_apart: Path, visit: Visit) -> None:
    for anchor in ("", "#x=accuracy&y=masked_accuracy"):
        page = visit(told_apart / "scatter.html", anchor)
        names, *covers = page.evaluate(OVERLAPS)
        assert 0 < names <= 20
        assert covers == [False, False]
        hidden = page.inner_text("#hidden")
        assert (f"{page.locator('#plot circle').count() - names} of " in hidden) == (hidden != "")


def test_a_mark_of_the_scatter_tells_its_name_and_numbers_when_it_is_focused(told_apart: Path, visit: Visit) -> None:
    page = visit(told_apart / "scatter.html")
    page.locator("#plot circle").nth(3).focus()
    assert page.locator("#plot .pointed").text_content() == page.locator("#plot circle").nth(3).get_attribute(
        "aria-label"
    )
    page.locator("#plot circle").nth(3).blur()
    assert page.locator("#plot .pointed").text_content() == ""


def test_the_theme_that_was_chosen_wins_over_the_systems(site: Path, visit: Visit) -> None:
    page = visit(site / "index.html", color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click(".theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.reload()
    assert page.inner_text(".theme") == "Dark"


@pytest.fixture(scope="module")
def large(evidence: SiteData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home page with 5,000 scores, and a ranking of 5,000 rows."""
    folder, one = tmp_path_factory.mktemp("large"), evidence.scores[0]
    wide = [
        dataclasses.replace(one, explainer=f"e{at:03}", metric=f"m{of:02}", value=at / 250)
        for at, of in itertools.product(range(250), range(20))
    ]
    long = [dataclasses.replace(one, explainer=f"e{at:04}", metric="locality", value=at / 5000) for at in range(5000)]
    many, ranked = (SiteData(evidence.rows, scores, evidence.pairs) for scores in (wide, long))
    files = home(many, boards(many), False) | {name: static(name) for name in STATIC}
    files |= dict(metric_pages(ranked, SiteMaterial().facts, {}, False))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def busy_seconds(page: Any) -> Callable[[], float]:
    """Seconds that the page's main thread has computed; unlike time by the clock, no matter what else runs."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    return seconds


@pytest.mark.soak  # no timed test in the suite
def test_a_page_of_5000_scores_takes_less_than_half_a_second_of_computing(large: Path, visit: Visit) -> None:
    page = visit(large / "metrics.html")
    seconds = busy_seconds(page)
    before = seconds()
    page.goto((large / "index.html").as_uri())
    while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
        page.wait_for_timeout(50)
    assert page.locator("#board-1 tbody td").count() >= 4000
    assert seconds() - before < 0.5  # all of it; what is seen first is painted after about a third


@pytest.mark.soak  # no timed test in the suite
def test_5000_rows_are_sorted_and_filtered_in_a_tenth_of_a_second(large: Path, visit: Visit) -> None:
    page = visit(large / "metrics" / "locality.html")
    assert page.locator("#ranking-1 tbody tr").count() == 200
    seconds = busy_seconds(page)
    for action in (
        'document.querySelector("#ranking-1 thead th:nth-child(2) button").click()',
        'const find = document.querySelector("input[type=search]"); find.value = "e123";'
        'find.dispatchEvent(new Event("input"))',
    ):
        before = seconds()
        page.evaluate(f"() => {{ {action}; document.body.offsetHeight; }}")
        assert seconds() - before < 0.1
    assert len(names(page, "ranking-1")) == 10


def test_the_bytes_do_not_depend_on_the_order_of_results(
    results: tuple[pd.DataFrame, pd.DataFrame], evidence: SiteData, material: SiteMaterial
) -> None:
    shuffled = (table.sample(frac=1, random_state=0) for table in results)
    assert site_pages(site_data(Sources(*shuffled)), material) == site_pages(evidence, material)


def test_a_page_that_differs_is_stale_until_the_site_is_written_again(
    evidence: SiteData, material: SiteMaterial, tmp_path: Path
) -> None:
    assert stale_site(tmp_path, evidence, material) == []
    write_site(tmp_path, evidence, material)
    assert stale_site(tmp_path, evidence, material) == []
    (tmp_path / "index.html").write_text("changed")
    (tmp_path / "explainers" / "left.html").write_text("an explainer that has no results")
    (tmp_path / "compare.html").unlink()
    assert stale_site(tmp_path, evidence, material) == ["compare.html", "explainers/left.html", "index.html"]
    write_site(tmp_path, evidence, material)
    assert stale_site(tmp_path, evidence, material) == []
    assert not (tmp_path / "explainers" / "left.html").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(evidence: SiteData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another folder"):
        write_site(tmp_path / "file", evidence, SiteMaterial())


def test_no_results_make_a_site_without_boards(tmp_path: Path) -> None:
    nothing = frame([])
    images = nothing[["cell", "explainer", "variant", "task", "seed", "metric", "unit", "value"]]
    write_site(tmp_path, site_data(Sources(nothing, images)), SiteMaterial())
    assert "The boards" in (tmp_path / "index.html").read_text()
