"""The home page: what to use for what, and the boards."""

from __future__ import annotations

from partbench.leaderboard.site.boards import BoardTable
from partbench.leaderboard.site.capabilities import MEANINGS, profiles
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.templating import render


def home(data: SiteData, boards: list[BoardTable], claims: bool) -> dict[str, str]:
    """The home page, by name."""
    found = profiles(data)
    methods = [profile for profile in found if profile.method]
    first_in = sorted({metric for profile in methods for metric, _ in (*profile.first_in, *profile.passes)})
    counts = {
        "explainers": len(methods), "controls": len(found) - len(methods), "boards": len(boards),
        "metrics": len({metric for board in boards for metric, _ in board.metrics}),
        "cells": data.rows["cell"].nunique(),
    }  # fmt: skip
    text = render(
        "home.html", here="home", profiles=methods, meanings=MEANINGS, metrics=first_in, boards=boards, counts=counts,
        verdicts=data.uses, ranking=data.ranks, submitted=data.submitted, claims=claims,
        given={name for profile in methods for name in profile.has},
    )  # fmt: skip
    return {"index.html": text}
