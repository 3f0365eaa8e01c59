"""Plugins checked in a worker process, so that none can bring this one down. Imports no torch."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.running.cell_job import Limits, Setting, plain
from partbench.running.crew import Answer, Crew, Listener, Step, last_words
from partbench.testing.finding import Finding

MODULE = "partbench.testing.worker_check"
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)')  # as faulthandler writes them
MORE_TIME = (
    "an endless loop, or training that takes longer: give it --time-limit SECONDS, or options that train for less, "
    "as in -o epochs=1"
)
ENDED = "a plugin must not end the process: raise an exception instead of calling sys.exit or os._exit"


@dataclass(frozen=True)
class IsolatedCheck:
    """The check of a plugin file or name: on a task (None: the usual one), with options of explainers, in `seconds`."""

    plugin: str
    setting: Setting
    task: str | None
    options: Sequence[str]
    seconds: float

    def findings(self, listener: Listener | None = None) -> Iterator[tuple[Finding, str]]:
        """A finding for each plugin of the file or name, and what it printed. Raises InputError for a mistake."""
        limits = replace(Limits.usual(), seconds=self.seconds)
        told: set[str] = set()  # each warning is told once, though every step loads the plugins anew
        with Crew(1, limits, listener) as crew:
            found, setting = self._loaded(crew, told)
            if "finding" in found:
                yield _finding(found["finding"]), ""
            for kind, name in found.get("plugins", ()):
                yield self._tried(crew, setting, (kind, name), told)

    def _loaded(self, crew: Crew, told: set[str]) -> tuple[dict[str, Any], Setting]:
        """The plugins that are meant, or the finding of a file that cannot be loaded; the setting that loads them."""
        setting = self.setting
        while True:
            request = self._request("named", setting)
            [answer] = crew.run([Step("load", request, f"loading {self.plugin}")])
            _warn(answer, told)
            if answer.kind == "done":
                return answer.result, setting
            if answer.kind == "mistake":
                raise InputError(answer.text)
            culprit = answer.loading
            if culprit in setting.plugin_files:
                place, name = _place(answer, setting.plugin_files), Path(culprit).name
                return {"finding": asdict(Finding("file", name, answer.text, place, _mend(answer.text)))}, setting
            if not culprit or culprit in setting.without:
                raise RuntimeError(f"plugins cannot be loaded: {answer.text}\n{last_words(answer.log)}")
            setting = replace(setting, without={**setting.without, culprit: answer.text})

    def _tried(self, crew: Crew, setting: Setting, plugin: tuple[str, str], told: set[str]) -> tuple[Finding, str]:
        kind, name = plugin
        request = self._request("checked", setting, kind=kind, name=name)
        [answer] = crew.run([Step(name, request, f"checking {kind.removesuffix('s')} {name}")])
        _warn(answer, told)
        if answer.kind == "mistake":
            raise InputError(answer.text)
        if answer.kind == "done":
            return _finding(answer.result), _printed(answer)
        problem = f"it took {answer.text}" if answer.text.startswith("longer than") else answer.text
        return Finding(kind, name, problem, _place(answer, setting.plugin_files), _mend(problem)), ""

    def _request(self, function: str, setting: Setting, **more: str) -> dict[str, Any]:
        return {
            "do": "call", "function": f"{MODULE}:{function}", "setting": plain(setting), "plugin": self.plugin,
            "task": self.task, "options": list(self.options), "seconds": self.seconds, **more,
        }  # fmt: skip


def _finding(data: Mapping[str, Any]) -> Finding:
    return Finding(**{**data, "notes": tuple(data["notes"]), "remarks": tuple(data["remarks"])})


def _mend(problem: str) -> str:
    return MORE_TIME if "longer than" in problem else ENDED if "exit code" in problem else ""


def _warn(answer: Answer, told: set[str]) -> None:
    for text in dict.fromkeys(answer.warnings):
        if text not in told:
            warnings.warn(text, stacklevel=3)
    told.update(answer.warnings)


def _printed(answer: Answer) -> str:
    """What a plugin printed, without the warnings, which are told by themselves."""
    text, told = last_words(answer.log), {f"warning: {text}" for text in answer.warnings}
    return "" if text == "nothing was printed" else "\n".join(line for line in text.splitlines() if line not in told)


def _whole(log: Path) -> str:
    """All that was printed, up to a megabyte: of a crash, libraries are listed behind the traceback."""
    try:
        with open(log, "rb") as file:
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""


def _place(answer: Answer, files: Sequence[str]) -> str:
    """Where the innermost frame in the log is that lies beside one of these files; "" if there is none."""
    folders = [Path(file).parent for file in files]
    for found in FRAME.finditer(_whole(answer.log)):
        if any(Path(found["file"]).is_relative_to(folder) for folder in folders):
            return f"{found['file']}, line {found['line']}, in {found['name']}"
    return ""
