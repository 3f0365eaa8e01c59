"""`bench new` on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from partbench.cli.main import main


def test_the_files_are_named_and_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["new", "metric", "my_metric", "--folder", str(tmp_path)])
    assert result.exit_code == 0, result.output
    *files, following = result.stdout.splitlines()
    assert all(Path(file).is_file() for file in files)
    assert len(files) == 4
    assert following.startswith("next: bench check ")


def test_a_mistake_costs_exit_code_2_and_one_line(tmp_path: Path) -> None:
    for name, answer in (("locality", "has a metric named 'locality'"), ("My", "'my' would do")):
        result = CliRunner().invoke(main, ["new", "metric", name, "--folder", str(tmp_path)])
        assert result.exit_code == 2
        assert answer in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["check", f"{'x' * 300}.py"], ["new", "metric", "fine", "--folder", "x" * 300]])
def test_a_path_that_no_file_system_takes_costs_exit_code_2_and_one_line(words: list[str]) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert re.fullmatch(r"bench: (no|plugin) file \S*x{40,}\.\.\.:? \D*name (is )?too long\n", result.stderr)
