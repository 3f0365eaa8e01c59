"""Templates of pages, with autoescape: what comes from results stays text."""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from partbench.leaderboard.markdown import bounds, number
from partbench.leaderboard.score import arrow
from partbench.leaderboard.site import bars, texts
from partbench.leaderboard.site.links import address, anchor_of, page_of

_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
STATIC = ("site.css", "site.js")
SHORT = 14  # characters of a name that fits any column


def render(template: str, root: str = "", **values: Any) -> str:
    """A page from its template; `root` leads from its folder to that of the site ("" or "../")."""
    text = _environment().get_template(template).render(root=root, **values)
    return "\n".join(filter(None, (line.rstrip() for line in text.split("\n")))) + "\n"


def static(name: str) -> str:
    """A stylesheet or script of the site."""
    return (files("partbench.leaderboard.site") / "static" / name).read_text(encoding="utf-8")


def script_json(value: Any) -> Markup:
    """JSON that may stand in a <script>: it holds no `<`, `>`, `&` and no line separators."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPED))


def breakable(name: str) -> Markup:
    """A long name, which a browser may break after `_`, `@`, `=`, `,` and `/`; a short one as it is."""
    text = str(Markup.escape(name))
    for character in "_@=,/" if len(name) > SHORT else "":
        text = text.replace(character, f"{character}<wbr>")
    return Markup(text)


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("partbench.leaderboard.site"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for function in (number, arrow, texts.ranks, texts.seconds, texts.memory, texts.marks, texts.counted, texts.span):
        made.filters[function.__name__] = function
    made.filters |= {"interval": bounds, "breakable": breakable, "script_json": script_json}
    made.globals |= {"address": address, "anchor_of": anchor_of, "page_of": page_of, "bar": bars.bar}
    return made
