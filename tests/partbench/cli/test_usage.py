"""Command lines that cannot be parsed: one line that says what was given and what is expected, and exit code 2."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from partbench.cli.main import main
from partbench.cli.usage import Commands

RUN = "run --plugin srae"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (f"{RUN} --seed -1", "--seed is -1, expected a whole number from 0 to 18446744073709551615"),
        (f"{RUN} --jobs 0", "--jobs is 0, expected a whole number of at least 1"),
        (f"{RUN} --jobs many", "--jobs is 'many', expected a whole number of at least 1"),
        (f"{RUN} --time-limit 0", "--time-limit is 0.0, expected a number above 0"),
        (f"{RUN} --memory-limit x", "--memory-limit is 'x', expected a number above 0"),
        (f"{RUN} --device gpu", "--device is 'gpu', expected one of auto, cpu, cuda"),
        ("completion tcsh", "SHELL is 'tcsh', expected one of bash, zsh, fish"),
        (f"{RUN} --sed 1", "no option --sed; did you mean --seed?"),
        (f"{RUN} --xyz 1", "no option --xyz; see `bench run --help`"),
        ("--xyz", "no option --xyz; see `bench --help`"),
        ("run", "missing option '--plugin'; see `bench run --help`"),
        ("data check", "missing argument 'NAME'; see `bench data check --help`"),
        ("compare srae nn lasso", "got unexpected extra argument (lasso); see `bench compare --help`"),
        ("cache nope", "no command named 'nope'; known: check, clear, list"),
    ],
)
def test_what_cannot_be_parsed_is_answered_in_one_line(words: str, line: str) -> None:
    result = CliRunner().invoke(main, words.split(), prog_name="bench")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"bench: {line}\n")


def test_a_folder_that_is_a_file_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["compare", "srae", "nn", "--results", str(tmp_path / "file")])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(f"bench: --results: directory '{tmp_path / 'file'}' is a file")


def test_every_group_answers_an_unknown_command_in_this_way() -> None:
    groups = [command for command in main.commands.values() if isinstance(command, click.Group)]
    assert len(groups) >= 4
    assert all(isinstance(group, Commands) for group in groups)


def test_bench_alone_prints_its_help() -> None:
    assert "bench run --plugin srae" in CliRunner().invoke(main, []).output
