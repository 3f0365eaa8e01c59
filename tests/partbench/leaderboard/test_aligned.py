from __future__ import annotations

import numpy as np
import pandas as pd
from planted_results import frame, row

from partbench.leaderboard.aligned import aligned
from partbench.leaderboard.current import current


def test_a_stack_holds_every_value_of_the_evidence_at_its_image_and_nothing_else() -> None:
    random = np.random.default_rng(0)
    tasks = ("bird", "cat")
    rows = current(frame([row(name, task, 0.5, seed=seed) for name in "abc" for task in tasks for seed in range(2)]))
    evidence = []
    for cell, metric, task in rows[["cell", "metric", "task"]].itertuples(index=False):
        for image in random.permutation(30)[:20]:
            value = np.nan if image == 3 or random.random() < 0.1 else random.normal()
            evidence.append({"cell": cell, "metric": metric, "unit": f"{task}-{image:02}", "value": value})
    images = pd.DataFrame(evidence).sample(frac=1, random_state=1)
    (found,) = aligned(rows, images)
    known = images[images["value"].notna()]
    names = sorted(set(known["unit"]))  # image 3 has a value in no cell
    assert list(found.stack.image) == sorted(found.stack.image)
    assert len(found.stack.image) == len(names)
    of_cell = {(label, task, seed): cell for label, task, seed, cell in
               rows[["label", "task", "seed", "cell"]].itertuples(index=False)}  # fmt: skip
    for k, label in enumerate(found.labels):
        for t, task in enumerate(found.tasks):
            columns = np.flatnonzero(found.stack.task == t)
            places = [name for name in names if name.startswith(f"{task}-")]
            listed = images[images["cell"].isin([of_cell[label, task, seed] for seed in range(2)])]["unit"]
            np.testing.assert_array_equal(found.stack.listed[k, columns], np.isin(places, listed))
            for seed in range(2):
                own = known[known["cell"] == of_cell[label, task, seed]].set_index("unit")["value"]
                np.testing.assert_array_equal(found.stack.values[k, seed, columns], own.reindex(places))
