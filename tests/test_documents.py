"""README, CONTRIBUTING and docs/: every block of code runs, every command parses, every link leads somewhere.

A fenced block names its language. Blocks of a page run in order, in one namespace and an empty folder of their own. The
comment `<!-- soak -->` before a block of Python says that it takes long: `make soak` runs the page with such blocks.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from partbench.cli.main import main
from partbench.testing.checks import check_declaration

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(DOCS.glob("*.md"))
COMMANDS, DATA, OUTPUT = {"console", "bash"}, {"toml", "json"}, {"text"}
SOAK = "<!-- soak -->"
ELSEWHERE = {
    "README.md": "test_readme.py",  # as a script, and as a notebook
    "docs/plugins.md": "test_plugins_page.py",  # as a plugin file
    "docs/short_forms.md": "test_short_forms_page.py",
    "docs/bridges.md": "test_bridges_page.py",
}  # pages whose Python is run by a test of their own
OTHER_PROGRAMS = {"git", "dask", "pytest", "cd", "source"}
MARKDOWN = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """A block of code: its language ("" where it is indented), its text, its first line, whether it takes long."""

    language: str
    text: str
    line: int
    soak: bool


@cache
def tokens_of(text: str) -> list[Token]:
    return MARKDOWN.parse(text)


def blocks(text: str) -> list[Block]:
    """All blocks of code of a Markdown text, those within lists too."""
    found, before = [], ""
    for token in tokens_of(text):
        if token.type in ("fence", "code_block") and token.map:
            found.append(Block(token.info.strip(), token.content, token.map[0] + 1, before == SOAK))
        if token.map:
            before = token.content.strip()
    return found


def named(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def command_lines(text: str) -> list[list[str]]:
    """The commands of a block as words: lines joined at a backslash, without comments and redirections."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(re.split(r" >> | \| ", line)[0], comments=True))]


def test_no_block_escapes_this_test() -> None:
    languages = {block.language for page in PAGES for block in blocks(page.read_text())}
    assert languages <= {"", "python"} | COMMANDS | DATA | OUTPUT
    text = "* a\n\n    ```python\n    x\n    ```\n\n<!-- soak -->\n\n```python\ny\n```\n\n    bench list\n"
    assert [block[1:] for block in blocks(text)] == [("x\n", 3, False), ("y\n", 9, True), ("bench list\n", 13, False)]


def python_blocks(page: Path, soak: bool) -> list[Block]:
    """Those to run: with `soak` all of a page that has slow ones, else those before the first slow one."""
    found = [block for block in blocks(page.read_text()) if block.language == "python"]
    slow = [number for number, block in enumerate(found) if block.soak]
    return (found if slow else []) if soak else found[: slow[0]] if slow else found


def pages_to_run(soak: bool) -> list[str]:
    return [named(page) for page in PAGES if named(page) not in ELSEWHERE and python_blocks(page, soak)]


def some_results() -> None:
    """Results for docs/results.md: cells of the repository with one category against random images."""
    for file in (REPOSITORY / "results" / "fauna").glob("[a-z]*/*.parquet"):
        if "." not in file.parent.name and file.name.startswith(("interp_cnn-", "top_conv-")):
            place = Path("results", "fauna", file.parent.name)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)


def test_pages_that_run_elsewhere_have_a_test_of_their_own() -> None:
    tests = [REPOSITORY / "tests" / test for page, test in ELSEWHERE.items() if (REPOSITORY / page).exists()]
    assert [test for test in tests if not test.is_file()] == []
    assert len(tests) > 1


def run_page(name: str, soak: bool) -> None:
    if name == "docs/results.md":
        some_results()
    names: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(REPOSITORY / name, soak):
        padded = "\n" * block.line + block.text  # so that a traceback names the line of the page
        exec(compile(padded, name, "exec"), names)


@pytest.mark.parametrize("name", pages_to_run(soak=False))
def test_the_python_of_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(name, soak=False)


def test_the_explainer_of_the_quick_start_declares_all_that_bench_check_asks_for() -> None:
    names: dict[str, object] = {}
    exec(python_blocks(DOCS / "quick_start.md", soak=False)[0].text, names)
    check_declaration(names["MeanMap"])  # type: ignore[arg-type]


@pytest.mark.soak
@pytest.mark.parametrize("name", pages_to_run(soak=True))
def test_the_slow_python_of_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(name, soak=True)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch):
    """Parses words with the real command line, without running the command; raises click.UsageError."""

    def all_of(command: click.Command) -> Iterator[click.Command]:
        yield command
        for found in command.commands.values() if isinstance(command, click.Group) else ():
            yield from all_of(found)

    for command in all_of(main):
        monkeypatch.setattr(command, "callback", lambda **_: None)
    return lambda words: main.main(words, "bench", standalone_mode=False)


def fault(words: list[str], parsed) -> str:
    """What is wrong with a command; "" if nothing is."""
    program, *rest = words
    if program == "bench":
        try:
            parsed(rest)
        except click.ClickException as error:
            return error.format_message()
    elif program == "make":
        targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.M)
        return "" if rest[0] in targets else f"no target {rest[0]}"
    elif program == "python":
        return "" if rest[0] == "-m" or (REPOSITORY / rest[0]).is_file() else f"no file {rest[0]}"
    elif program == "pip":
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        asked = {extra for group in re.findall(r"partbench\[(.*?)\]", " ".join(rest)) for extra in group.split(",")}
        return "" if asked <= set(project["optional-dependencies"]) else f"no extra {asked}"
    elif program not in OTHER_PROGRAMS:
        return "neither a command nor a block with a language"
    return ""


def test_every_command_of_the_pages_is_one(parsed) -> None:
    wrong, count = [], 0
    for page in PAGES:
        for block in blocks(page.read_text()):
            if block.language in {"", *COMMANDS}:
                for words in command_lines(block.text):
                    count += 1
                    if reason := fault(words, parsed):
                        wrong.append(f"{named(page)}:{block.line}: {' '.join(words)}: {reason}")
    assert wrong == []
    assert count > 40


def test_wrong_commands_are_found(parsed) -> None:
    for line in ("bench rum", "bench run --plugin a --tasks b", "bench run", "make tests", "python scripts/a.py", "ls",
                 "pip install 'partbench[sq]'", "bench check"):  # fmt: skip
        assert fault(shlex.split(line), parsed), line


def test_commands_within_sentences_and_help_texts_exist(parsed) -> None:
    """They may leave out what is required, and hold words in capitals for what a user chooses."""
    wrong, count = [], 0
    for page in PAGES:
        inline = [child for token in tokens_of(page.read_text()) for child in token.children or []]
        lines = [
            child.content for child in inline if child.type == "code_inline" and child.content.startswith("bench ")
        ]
        if page.name == "command_line.md":
            lines += [re.split(r"\s{3,}", line)[0] for line in re.findall(r"^ {2,}(bench .*)$", page.read_text(), re.M)]
        for line in lines:
            (words,) = command_lines(line) or [[]]
            reason = fault(words, parsed) if words[1] not in ("COMMAND",) else ""
            count += 1
            if reason and not reason.startswith("missing") and "requires an argument" not in reason:
                wrong.append(f"{named(page)}: {line}: {reason}")
    assert wrong == []
    assert count > 50


def test_blocks_of_data_are_well_formed() -> None:
    for page in PAGES:
        for block in blocks(page.read_text()):
            if block.language in DATA:
                {"toml": tomllib.loads, "json": json.loads}[block.language](block.text)


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub names them."""
    tokens = tokens_of(page.read_text())
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The links and pictures of a page that lead to no file, or to no heading of one."""
    broken = []
    inline = [child for token in tokens_of(page.read_text()) for child in token.children or []]
    for child in inline:
        target = str(child.attrs.get("href") or child.attrs.get("src") or "")
        if not target or re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(f"{page.name}: {target}")
    return broken


def test_every_link_of_the_pages_leads_somewhere(tmp_path: Path) -> None:
    assert [link for page in PAGES for link in broken_links(page)] == []
    (tmp_path / "a.md").write_text("# A b\n\n[](#a-b) [](b.md) ![](c.png) [](#a) [](https://x.org) [](a.md#c)\n")
    assert broken_links(tmp_path / "a.md") == ["a.md: b.md", "a.md: c.png", "a.md: #a", "a.md: a.md#c"]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_a_page_says_in_its_first_sentence_whom_it_is_for(page: Path) -> None:
    tokens = tokens_of(page.read_text())
    assert next(token.content for i, token in enumerate(tokens) if tokens[i - 1].type == "paragraph_open").startswith(
        "For "
    )


def test_the_navigation_of_the_site_names_every_page_once() -> None:
    """Without mkdocs, whose strict build says the same."""
    listed = re.findall(r"^ +- .*: (\w+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.M)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_committed_site_stays_small() -> None:
    files = [file for file in (REPOSITORY / "leaderboards" / "site").rglob("*") if file.is_file()]
    pictures = [file for file in files if "pictures" in file.parts]
    total, of_pictures = (sum(file.stat().st_size for file in some) for some in (files, pictures))
    assert pictures
    assert total - of_pictures < 2_000_000
    assert total < 8_000_000
