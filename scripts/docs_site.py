"""Hooks of mkdocs, for `make docs`: links and pictures that leave docs/, and what pages would fetch from elsewhere.

Pages of docs/ are read on GitHub too, where links may lead to any file of the repository. On the site such links lead
to GitHub, and such pictures are copied. Warnings fail a strict build.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import File, Files
    from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
BRANCH = "blob/main"
OUTSIDE = re.compile(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")  # picture or link, text, path, anchor
ASKED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
ALLOWED = re.compile(r'<link\b[^>]*rel="?(?:canonical|prev|next)\b')  # told to search engines, not fetched
log = logging.getLogger("mkdocs.hooks.partbench")  # `mkdocs build --strict` counts warnings of "mkdocs"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links out of docs/ lead to GitHub, pictures out of docs/ are copied to the site."""

    def placed(found: re.Match[str]) -> str:
        picture, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), target))
        if not (REPOSITORY / path).exists():
            log.warning("%s: no %s in the repository", page.file.src_uri, path)
        if not picture:
            return f"[{text}]({config.extra['repository']}/{BRANCH}/{path}{anchor})"
        if f"copied/{path}" not in files.src_uris:
            files.append(_copied(path, config))
        return f"![{text}](copied/{path})"

    return OUTSIDE.sub(placed, markdown)


def _copied(path: str, config: MkDocsConfig) -> File:
    from mkdocs.structure.files import File

    return File.generated(config, f"copied/{path}", abs_src_path=str(REPOSITORY / path))


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Warn of everything that a browser would fetch from elsewhere."""
    for found in ASKED.finditer(output):
        if not ALLOWED.match(found[0]):
            log.warning("%s asks another server: %.120s", page.file.src_uri, found[0])
    return output
