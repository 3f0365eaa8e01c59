"""The pages of docs/ that scripts/docs_pages.py makes, and what scripts/docs_site.py does to pages on the site."""

from __future__ import annotations

import dataclasses
import logging
import types
from pathlib import Path

import pytest

from partbench.registry import FIRST_PARTY, load

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import docs_pages

    return docs_pages


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import docs_site

    return docs_site


def test_the_pages_are_what_the_script_makes_of_the_code(script: types.ModuleType) -> None:
    stale = [name for name, text in script.pages().items() if (REPOSITORY / "docs" / name).read_text() != text]
    assert stale == [], "run python scripts/docs_pages.py"


def test_every_explainer_with_maps_has_a_picture() -> None:
    pictures = {path.stem for path in (REPOSITORY / "docs" / "pictures").glob("*.png")}
    explainers = {name for name, entry in load().explainers.items() if entry.distribution == FIRST_PARTY}
    assert explainers - pictures == {"mean_logit"}
    assert pictures <= explainers
    assert max(path.stat().st_size for path in (REPOSITORY / "docs" / "pictures").glob("*.png")) < 300_000


def test_a_docstring_becomes_paragraphs_and_a_list_of_options(script: types.ModuleType) -> None:
    @dataclasses.dataclass
    class Plugin:
        """First a*b, `a*b`, |x_1|.

        Source: a paper.
        It says: all.

        rate, size: of the
            training. more: no option.
        other: no option.
        """

        rate: float = 1
        size: int = 2

    first, source, options = script.described_in_markdown(Plugin)
    assert first == r"First a\*b, `a*b`, |x_1|."
    assert source == "*Source:* a paper. It says: all."
    assert options == "* **rate, size**: of the training. more: no option. other: no option."


def page_of(name: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(file=types.SimpleNamespace(src_uri=name))


def test_links_out_of_the_docs_lead_to_the_repository(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    config = types.SimpleNamespace(extra={"repository": "https://x.org/r"})
    text = "[a](../README.md#tasks) [b](b.md) [c](https://x.org/../c)"
    made = hooks.on_page_markdown(text, page_of("index.md"), config, None)
    assert made == "[a](https://x.org/r/blob/main/README.md#tasks) [b](b.md) [c](https://x.org/../c)"
    assert not caplog.records
    hooks.on_page_markdown("[a](../absent.md)", page_of("index.md"), config, None)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_page_that_asks_another_server_is_a_warning(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = (
        '<a href="https://x.org">x</a><link rel="canonical" href="https://x.org/a"><img src="a.png"><script>1</script>'
    )
    assert hooks.on_post_page(quiet, page_of("a.md")) == quiet
    assert not caplog.records
    asking = ('<script src="https://x.org/a.js">', '<link href="https://x.org/a.css" rel="stylesheet">',
              '<img alt="" src="//x.org/a.png">')  # fmt: skip
    for page in asking:
        hooks.on_post_page(page, page_of("a.md"))
    assert len(caplog.records) == len(asking)
