"""Make all results of the repository anew: `make reference`. Finished cells are kept, so that it can be interrupted.

    python scripts/reference.py --plan                       # the cells and the expected hours, nothing else
    python scripts/reference.py --data-root DIR --jobs 2     # DIR holds the folders animal_part and cub
    python scripts/reference.py --commit                     # a git commit of results/ after every part

The performer `performers/resnet18_fauna`, a network that no paper used, is trained first.
The parts run in order. If they are expected to take longer than `--hours`, parts of variants are dropped from the
end; seeds never are. Parts of photographs whose folder is not there are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pandas as pd

from partbench.cli.progress import duration
from partbench.errors import InputError
from partbench.leaderboard.current import current
from partbench.opening import Workbench
from partbench.registry import load
from partbench.results.schema import COLUMNS
from partbench.results.store import load_results
from partbench.running.engine import interruptible
from partbench.running.expectation import usual
from partbench.running.jobs import Job, plan

REPOSITORY = Path(__file__).resolve().parents[1]
INTERRUPTED = 130
CELL = ["explainer", "variant", "task", "seed"]
UNKNOWN = 60.0  # seconds assumed of a cell whose explainer has no earlier ones

FLOORS = ("centre_map", "corner_map", "uniform", "edges", "colour", "mean_logit", "random_maps")
ONE_LOGIT = ("top_conv", "excitation_bp", "z", "lasso", "cae", "nn", "sae", "srae")
RANDOM = ("random_maps", "z", "cae", "nn", "sae", "srae")  # the others draw nothing: seeds would not differ
ADDITIVE = ("additive", "additive_no_prior")
PHOTOGRAPHS = ("animal_part", "cub")
FURTHER, THREE, FIVE = (1, 2), (0, 1, 2), (0, 1, 2, 3, 4)
ORDINARY = ("network=ordinary",)
MASKED = ("gradient=exact", "mask=true", "mask_after_pool=true", "rho=1")
TRAINED = REPOSITORY / "performers" / "resnet18_fauna"
TRAINING = ("fauna/multi", "--network", "torchvision:resnet18,size=64", "--weights", "random")
PAGES = "pages of them: `bench leaderboard --site`, scripts/reference_cells.py, reproduction.py, readme.py"
MASK_ALONE = ("loss=false", "mask=true", "mask_after_pool=true")


@dataclass(frozen=True)
class Part:
    """Cells that run together: explainers with the same options, on tasks, with seeds.

    variant: whether the part may be dropped to stay within the hours.
    """

    explainers: Sequence[str]
    tasks: Sequence[str]
    seeds: Sequence[int] = THREE
    options: Sequence[str] = ()
    variant: bool = False

    def by_dataset(self) -> Iterator[Part]:
        """A part for the tasks of each dataset: photographs that are not there leave out no rendered images."""
        for _, tasks in groupby(self.tasks, key=lambda task: task.partition("/")[0]):
            yield replace(self, tasks=tuple(tasks))

    @property
    def photographs(self) -> set[str]:
        """The datasets of photographs that it needs."""
        return {task.partition("/")[0] for task in self.tasks} & {*PHOTOGRAPHS}

    @property
    def trained(self) -> bool:
        """Whether it explains the performer of our own training."""
        return any(task.endswith(f"@{TRAINED.name}") for task in self.tasks)

    @property
    def title(self) -> str:
        """One line for people."""
        options = f" ({', '.join(self.options)})" if self.options else ""
        return f"{', '.join(self.explainers)}{options} on {', '.join(self.tasks)}"


def _parts() -> Iterator[Part]:
    """Boards of fauna, of photographs and of the other rendered worlds, then variants of docs/reproduction.md."""
    yield from _one_logit("fauna/multi:*")
    yield Part((*FLOORS, "top_conv"), ("fauna/*", "fauna/multi"), (0,))
    yield Part(("random_maps",), ("fauna/*",), FURTHER)
    yield Part(("random_maps",), ("fauna/multi",), FIVE[1:])
    for tasks, seeds in ((("fauna/*",), THREE), (("fauna/multi",), FIVE)):
        yield Part(("interp_cnn",), tasks, seeds)
        yield Part(("top_conv",), tasks, seeds, ORDINARY)
    yield Part(ADDITIVE, ("fauna/*", "fauna/attribute-*"))
    yield Part(("autoencoder",), ("fauna/*", "fauna/multi"))
    yield Part((*FLOORS, "top_conv"), ("animal_part/*", "animal_part/multi"), (0,))
    yield Part(("random_maps",), ("animal_part/*", "animal_part/multi"), FURTHER)
    for tasks, seeds in ((("animal_part/*",), THREE), (("animal_part/multi",), FIVE)):
        yield Part(("interp_cnn",), tasks, seeds)
        yield Part(("top_conv",), tasks, seeds, ORDINARY)
    yield Part(ADDITIVE, ("animal_part/*",))
    yield Part(("autoencoder",), ("animal_part/*", "animal_part/multi"))
    photographs = ("animal_part/multi:*", "animal_part/multi:*@lite0", "cub/multi:*", "animal_part/multi:*@lite1")
    for task in (*photographs, f"fauna/multi:*@{TRAINED.name}"):
        yield from _one_logit(task)
    for world in ("fauna_species", "fauna_scenes"):  # the settings of SRAE on CUB and on Places
        yield from _one_logit(f"{world}/multi:*")
    yield from _variants()


def _one_logit(tasks: str) -> Iterator[Part]:
    """What explains one logit, on tasks that have one; further seeds of what draws random numbers."""
    yield Part((*FLOORS, *ONE_LOGIT), (tasks,), (0,))
    yield Part(RANDOM, (tasks,), FURTHER)


def _variants() -> Iterator[Part]:
    """Variants that the published claims need, in order of importance: the last are dropped first."""
    one = Part(("interp_cnn",), ("fauna/bird",), (0,), variant=True)
    yield Part(ADDITIVE, ("fauna/*", "fauna/attribute-*"), (0,), ("bias=zero",), variant=True)
    yield Part(("srae",), ("animal_part/multi:*", "fauna_species/multi:*"), THREE, ("profile=released",), variant=True)
    weaker = ("beta=0.3", "eta=0.1")  # the paper tunes both weights of eq. 5
    tried = ("cub/multi:*", "fauna_species/multi:*", "animal_part/multi:*", f"fauna/multi:*@{TRAINED.name}")
    yield Part(("srae",), tried, THREE, weaker, variant=True)
    for options in (MASKED, MASK_ALONE):
        yield replace(one, tasks=("animal_part/*",), options=options)
    every = ("animal_part/*", "animal_part/multi", "fauna/multi")
    yield replace(one, tasks=every[1:], options=MASKED)
    yield replace(one, explainers=("top_conv",), tasks=every, options=(*ORDINARY, "after_pool=true"))
    for others in ("fauna/*:others", "animal_part/*:others"):
        yield replace(one, tasks=(others,))
        yield replace(one, explainers=("top_conv",), tasks=(others,), options=ORDINARY)
    for text in ("rho=1", "rho=0.1", "gradient=exact", "gradient=paper", "gradient=paper rho=1",
                 "gradient=paper marginal=largest", "batch_norm=false", "loss_layers=both", "mask=true",
                 "loss=false mask=true", "dropout=0.5", "profile=paper", "profile=released",
                 "trunk=trained", " ".join(MASKED)):  # fmt: skip
        yield replace(one, options=tuple(text.split()))
    for options in (("after_pool=true",), ("profile=paper",), ("profile=released", "after_pool=true")):
        yield replace(one, explainers=("top_conv",), options=(*ORDINARY, *options))
    yield Part(("top_conv",), ("fauna/*", "animal_part/*"), (0,), ("layer=target",), variant=True)
    for tasks in (("fauna/*", "animal_part/*"), ("fauna/multi", "animal_part/multi")):
        yield Part(("autoencoder_cls",), tasks, (0,), variant=True)
    yield Part(ADDITIVE, ("animal_part/*",), (0,), ("bias=zero",), variant=True)


PARTS = tuple(part for parts in _parts() for part in parts.by_dataset())


def main(argv: Sequence[str] | None = None) -> int:
    """Plan, then run part by part. The exit code of the first part that was interrupted or refused; 1 for failures."""
    given = _arguments(argv)
    try:
        with interruptible():
            workbench = Workbench(load(trained(train=not given.plan)), given.data_root)
            parts = at_hand(PARTS, workbench)
            forecast = Forecast(workbench, given.results)
            timed = [(part, forecast.seconds(part) / given.jobs) for part in parts]
            chosen = within(timed, given.hours * 3600)
            print_plan(timed, chosen, given)
            return 0 if given.plan else run_parts(chosen, given)
    except InputError as error:
        print(f"reference: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("reference: interrupted; finished cells are kept, the same command goes on from there", file=sys.stderr)
        return INTERRUPTED


def at_hand(parts: Sequence[Part], workbench: Workbench) -> list[Part]:
    """The parts whose photographs have a folder of their own; a line says of the others what they need."""
    roots = {name: workbench.root_of(name) for name in PHOTOGRAPHS}
    missing = {name for name, root in roots.items() if root is None or root == workbench.data_root}
    found = [part for part in parts if not part.photographs & missing]
    if len(found) < len(parts):
        without = f"no folder of {' and '.join(sorted(missing))} in --data-root, nor noted by `bench data add`"
        print(f"{without}: {len(parts) - len(found)} of {len(parts)} parts left out")
    if TRAINED.is_dir():
        return found
    print(f"no performer {TRAINED.name}, which a run trains first: parts that explain it are left out of this plan")
    return [part for part in found if not part.trained]


def trained(train: bool) -> list[Path]:
    """The plugin file of the performer of our own training; none where it is not there. With `train` it is trained.

    Raises InputError where its training fails.
    """
    if train and not TRAINED.is_dir():
        words = ["performer", "train", *TRAINING, "--name", TRAINED.name, "--out", str(TRAINED)]
        if subprocess.run([sys.executable, "-m", "partbench", *words], check=False).returncode:
            raise InputError(f"{TRAINED.name} was not trained, see above; `bench {' '.join(words)}` tries it again")
    return [TRAINED / "performer.py"] if TRAINED.is_dir() else []


@dataclass
class Forecast:
    """How long parts will take, from earlier cells in `results` of the same explainers and datasets.

    A cell counts as done where the results hold one of its explainer, options, task and seed. The run itself does cells
    of older code again, so that this is a lower bound after the code has changed.
    """

    workbench: Workbench
    results: Path

    def __post_init__(self) -> None:
        rows = current(load_results(self.results)) if self.results.is_dir() else pd.DataFrame(columns=list(COLUMNS))
        rows = rows[rows["status"] != "failed"]
        self._done = set(rows[CELL].drop_duplicates().itertuples(index=False, name=None))
        self._usual: dict[tuple[str, str], float | None] = {}

    def seconds(self, part: Part) -> float:
        """Seconds of one worker for the cells that are not done."""
        registry, tasks = self.workbench.registry, self.workbench.expand(part.tasks)
        given = dict(text.split("=", 1) for text in part.options)
        jobs = plan(registry, part.explainers, tasks, part.seeds, given)
        return sum(self._of(job) for job in jobs if not self._is_done(job))

    def _is_done(self, job: Job) -> bool:
        return (job.entry.name, job.variant, job.task, job.seed) in self._done

    def _of(self, job: Job) -> float:
        of = job.entry.name, job.task.partition("/")[0]
        if of not in self._usual:
            self._usual[of] = usual(self.results, *of)[0]
        return UNKNOWN if (seconds := self._usual[of]) is None else seconds


def within(timed: Sequence[tuple[Part, float]], limit: float) -> list[Part]:
    """The parts to run, of parts with their expected seconds.

    Variants are dropped from the end until the rest takes at most `limit` seconds. Raises InputError
    where parts that are no variants take longer.
    """
    chosen, total = list(timed), sum(time for _, time in timed)
    for part, time in reversed(timed):
        if total <= limit:
            break
        if part.variant and time:
            chosen.remove((part, time))
            total -= time
    if total > limit:
        raise InputError(f"the parts without variants take about {duration(total)}; allow more with --hours")
    return [part for part, _ in chosen]


def print_plan(timed: Sequence[tuple[Part, float]], chosen: Sequence[Part], given: argparse.Namespace) -> None:
    """One line for each part: its time, whether it is dropped, what it is."""
    for part, time in timed:
        print(f"{duration(time) if time else 'done':>8}  {'' if part in chosen else 'dropped: '}{part.title}")
    total = sum(time for part, time in timed if part in chosen)
    print(f"{len(chosen)} parts, about {duration(total)} with {given.jobs} workers", flush=True)


def run_parts(parts: Sequence[Part], given: argparse.Namespace) -> int:
    """Run parts one after another; a failed cell stops none."""
    failed = 0
    for number, part in enumerate(parts, 1):
        print(f"part {number} of {len(parts)}: {part.title}", flush=True)
        code = subprocess.run(command(part, given), check=False).returncode
        if code not in (0, 1):
            return code
        failed = failed or code
        if given.commit:
            _commit(given.results, part.title)
    print(f"results are in {given.results}; {PAGES}")
    return failed


def command(part: Part, given: argparse.Namespace) -> list[str]:
    """The `bench run` of a part."""
    words = [sys.executable, "-m", "partbench", "run", "--no-pictures", "--no-pages", "--results", str(given.results)]
    words += ["--jobs", str(given.jobs), "--device", given.device]
    words += ["--data-root", str(given.data_root)] if given.data_root else []
    words += ["--plugin", str(TRAINED)] if part.trained else []
    for option, values in (("--plugin", part.explainers), ("--task", part.tasks), ("--seed", part.seeds)):
        words += [word for value in values for word in (option, str(value))]
    return words + [word for text in part.options for word in ("-o", text)]


def _commit(results: Path, title: str) -> None:
    subprocess.run(["git", "add", str(results)], check=True)
    if subprocess.run(["git", "diff", "--cached", "--quiet"], check=False).returncode:
        subprocess.run(["git", "commit", "--quiet", "--message", f"results: {title}"], check=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="reference", description="Make all results of the repository anew.")
    parser.add_argument("--plan", action="store_true", help="print the plan and stop")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results")
    parser.add_argument("--data-root", type=Path, help="holds the folders animal_part and cub")
    parser.add_argument("--jobs", type=int, default=2, help="workers (default: 2)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--hours", type=float, default=4.0, help="drop variants to stay within (default: 4)")
    parser.add_argument("--commit", action="store_true", help="commit results after every part")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
