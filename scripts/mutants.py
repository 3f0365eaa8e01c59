"""Measures how many small faults in the code the tests catch: mutation testing with mutmut.

    make mutants
    make mutants MODULES="functional/location nn" JOBS=1

mutmut changes one expression of a function at a time (`<` to `<=`, `a + b` to `a - b`, an argument to None) and runs
tests. A module is tested only by the file that mirrors it: functional/location.py by
tests/partbench/functional/test_location.py. mutmut does not change constants of a module, nor functions with a
decorator other than staticmethod and classmethod.

Each module has a folder in out/mutants, where `mutmut show NAME` prints a mutant. A run that was stopped goes on from
there; a module starts anew when it, its test file or a setting has changed. Mutants of functions that the test file
never calls count as survived, but `--show` does not print them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CORE = REPOSITORY / "benchmark" / "partbench"
TESTS = REPOSITORY / "tests" / "partbench"
OUT = REPOSITORY / "out" / "mutants"
PACKAGES = ("functional", "nn", "leaderboard")
CAUGHT = ("killed", "timeout", "segfault", "caught by type check")
MISSED = ("survived", "no tests")
UNTESTED = "not checked"

# fork server: threads of torch do not survive a fork of the process that ran tests
SETTINGS = """
[tool.mutmut]
source_paths = ["partbench"]
only_mutate = ["partbench/{module}.py"]
pytest_add_cli_args_test_selection = ["tests/partbench/{test}"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile", "mutants"]
process_isolation = "forkserver"
timeout_multiplier = 10.0
use_git_change_detection = false
"""


def main() -> None:
    """Run module after module, then print the table, of the modules so far if interrupted."""
    parser = argparse.ArgumentParser(description="mutation testing of partbench")
    parser.add_argument("modules", nargs="*", default=PACKAGES, help="such as functional/location, or nn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants tested at the same time")
    parser.add_argument("--show", action="store_true", help="print each mutant that survived")
    options = parser.parse_args()
    modules = [module for name in options.modules for module in modules_of(name)]
    counts: dict[str, Counter[str]] = {}
    with suppress(KeyboardInterrupt):
        for module in modules:
            counts[module] = tested(module, options.jobs, options.show)
    print("\n".join(table(counts)))


def modules_of(name: str) -> list[str]:
    """Modules that a path below partbench names, such as `functional/location`; a package names all of its own."""
    path = CORE / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    if not files[0].is_file():
        sys.exit(f"no module {name!r} in benchmark/partbench; expected a path such as functional/location, or nn")
    return [str(file.relative_to(CORE).with_suffix("")) for file in files if file.name != "__init__.py"]


def tested(module: str, jobs: int, show: bool) -> Counter[str]:
    """Number of mutants of a module by what became of them."""
    test = Path(module).with_name(f"test_{Path(module).name}.py")
    if not (TESTS / test).is_file():
        print(f"{module} has no tests/partbench/{test}, so nothing tests its mutants", flush=True)
        return Counter()
    folder = workbench(module, test)
    print(f"{module}, tested by {test}", flush=True)
    log, found = folder / "mutmut.log", statuses(folder)
    if not found or UNTESTED in found.values():
        with log.open("w") as stream:
            subprocess.run(mutmut("run", "--max-children", str(jobs)), cwd=folder, stdout=stream, stderr=stream)
        found = statuses(folder)
    if set(found.values()) <= {UNTESTED}:
        print(f"mutmut tested no mutant of {module}; {log} says why", flush=True)
    for name in [name for name, status in found.items() if show and status == "survived"]:
        subprocess.run(mutmut("show", name), cwd=folder)
    return Counter(found.values())


def mutmut(*words: str) -> list[str]:
    """A command line of mutmut; torch is imported before it forks, so once and not by each of its processes."""
    preload = "import torch, " if words[0] == "run" else "import "
    return [sys.executable, "-c", f"{preload}mutmut.__main__; mutmut.__main__.cli()", *words]


def workbench(module: str, test: Path) -> Path:
    """The folder mutmut works in: sources and tests as it expects them, and its settings.

    mutmut takes the path of a file for the name of its module, which two roots of sources do not give.
    """
    folder = OUT / module.replace("/", ".")
    project = (REPOSITORY / "pyproject.toml").read_text() + SETTINGS.format(module=module, test=test)
    files = (CORE / module).with_suffix(".py"), TESTS / test
    digest = hashlib.sha256(project.encode() + b"".join(file.read_bytes() for file in files)).hexdigest()
    mark = folder / "digest"
    if mark.is_file() and mark.read_text() == digest:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "partbench").symlink_to(CORE)
    (folder / "tests").symlink_to(REPOSITORY / "tests")
    (folder / "pyproject.toml").write_text(project)
    mark.write_text(digest)
    return folder


def statuses(folder: Path) -> dict[str, str]:
    """What became of each mutant, by its name."""
    listed = subprocess.run(mutmut("results", "--all", "true"), cwd=folder, capture_output=True, text=True).stdout
    return dict(re.findall(r"^ +(\S+): (.+)$", listed, re.MULTILINE))


def table(counts: dict[str, Counter[str]]) -> list[str]:
    """Rows of modules, then of packages; the score is the fraction caught of those that were tested."""
    rows = dict(counts)
    for package in PACKAGES:
        parts = [count for module, count in counts.items() if module.startswith(f"{package}/")]
        if parts:
            rows[f"{package} (all)"] = sum(parts, Counter())
    lines = [f"{'module':40} {'killed':>8} {'survived':>8} {'not run':>8} {'score':>8}"]
    for name, count in rows.items():
        killed, survived = sum(count[status] for status in CAUGHT), sum(count[status] for status in MISSED)
        score = f"{killed / (killed + survived):8.3f}" if killed + survived else f"{'-':>8}"
        lines.append(f"{name:40} {killed:8} {survived:8} {count.total() - killed - survived:8} {score}")
    return lines


if __name__ == "__main__":
    main()
