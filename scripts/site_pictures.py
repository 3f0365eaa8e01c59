"""Draw the pictures that the site shows: of each explainer the best and the worst cell of rendered images.

    python scripts/site_pictures.py [EXPLAINER ...]

They go to pictures/; `bench leaderboard --site` then takes them over. Cells are fitted again, from cached weights where
there are any. Without names, all explainers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.site.pictures import pictures_to_draw
from partbench.leaderboard.sources import Sources

RESULTS = Path(__file__).resolve().parents[1] / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one picture after another; 1 if one could not be drawn."""
    names, failed = set(sys.argv[1:] if argv is None else argv), 0
    sources = Sources.of(RESULTS)
    for name, pictures in pictures_to_draw(site_data(sources, Cards(sources).uses)).items():
        for picture in pictures if not names or name in names else ():
            print(f"{name} on {picture.task}, seed {picture.seed}", flush=True)
            shown = [sys.executable, "-m", "partbench", "show", picture.cell, "--results", str(RESULTS)]
            failed |= subprocess.run([*shown, "--device", "cpu"], stdout=subprocess.DEVNULL, check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
