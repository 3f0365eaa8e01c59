"""What surrounds the code: citation, workflow of CI, issue forms."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from partbench import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
FORMS = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> dict[str, Any]:
    # "on" is a key of workflows and a truth value of YAML
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def test_the_citation_is_of_this_version() -> None:
    """`make docs` validates it with cffconvert."""
    citation = read(REPOSITORY / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]


def test_the_workflow_tests_every_python_that_the_package_names() -> None:
    named = [found[1] for text in PROJECT["classifiers"] if (found := re.fullmatch(r".* :: (3\.\d+)", text))]
    jobs = read(REPOSITORY / ".github" / "workflows" / "test.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.M)
    assert [command.split()[1] for command in commands] == ["test", "docs"]
    assert {"test", "docs"} <= set(targets)


def test_warnings_fail_the_build_of_the_documentation() -> None:
    """mkdocs counts no warnings with --quiet."""
    (command,) = re.findall(r"^\t.*mkdocs build.*$", (REPOSITORY / "Makefile").read_text(), re.M)
    assert "--strict" in command
    assert "-q" not in command


@pytest.mark.parametrize("path", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_takes(path: Path) -> None:
    form = read(path)
    assert set(form) == {"name", "description", "labels", "body"}
    assert len({field["id"] for field in form["body"]}) == len(form["body"])
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown")
        assert field["attributes"]["label"]
        assert field["validations"]["required"] in ("true", "false")
        assert ("options" in field["attributes"]) == (field["type"] == "dropdown")


def test_there_are_forms_for_bugs_explainers_and_doubted_verdicts() -> None:
    assert {"bug", "explainer", "verdict"} <= {path.stem for path in FORMS}
