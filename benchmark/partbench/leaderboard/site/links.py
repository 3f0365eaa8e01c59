"""Where pages lie in the site, and links between them."""

from __future__ import annotations

import re
from urllib.parse import quote

from partbench.results.schema import slug


def page_of(kind: str, name: str) -> str:
    """The file of a page below the site's folder: `explainers/srae.html`. Different names have different files."""
    return f"{kind}/{slug(name)}.html"


def address(path: str, anchor: str = "", root: str = "") -> str:
    """A relative link to a file of the site; `root` leads from the page that links to the folder of the site.

    Nothing in it ends an attribute without quotes.
    """
    return f"{root}{quote(path)}{'#' + quote(anchor, '/:*@+') if anchor else ''}"


def anchor_of(name: str) -> str:
    """The anchor of a board, metric or task on a page: the name, if it has only letters, digits and `/:*@.+=-`."""
    return name if re.fullmatch(r"[\w/:*@.+=-]+", name) else slug(name)
