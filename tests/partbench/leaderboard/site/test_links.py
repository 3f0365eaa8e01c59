from __future__ import annotations

from partbench.leaderboard.site.links import address, anchor_of, page_of


def test_pages_of_different_names_are_different_files_inside_the_site() -> None:
    names = ["srae", "SRAE", "a/b", "a:b", "a.b", "../etc", "..", "%2e", "a#b", "a?b", "ä", " "]
    pages = [page_of("explainers", name) for name in names]
    assert len({page.lower() for page in pages}) == len(names)
    assert all(page.count("/") == 1 and not page.startswith("explainers/.") for page in pages)


def test_links_quote_what_a_browser_would_read_otherwise() -> None:
    assert address("metrics/a#b?.html", "fauna/multi:*", "../") == "../metrics/a%23b%3F.html#fauna/multi:*"


def test_links_need_no_quotes_whatever_they_lead_to() -> None:
    link = address(page_of("explainers", "a b\"c'd<e>f`g=h&i"), "a b\"c'd<e>f`g=h&i")
    assert not set(" \"'<>`=&") & set(link)


def test_anchors_have_no_white_space_or_quotes() -> None:
    assert anchor_of("fauna/multi:*@lite0") == "fauna/multi:*@lite0"
    assert not set(" \"'<>") & set(anchor_of("a \"b' <c>"))
