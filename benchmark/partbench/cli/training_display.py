"""How a training is shown while it runs."""

from __future__ import annotations

import time

from partbench.cli.progress import Display, duration
from partbench.running.training.request import EPOCH


class TrainingDisplay(Display):
    """Shows a training: a bar for the epoch on a terminal, a line for each epoch that has ended."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet)
        self.last = "the start"
        self._epochs = 0  # that have ended since the command was started
        self._since: float | None = None  # the first step of an epoch

    def progress(self, worker: int, what: str, done: int, total: int) -> None:
        """How far an epoch is, or what it came to, with the time that the others will take."""
        if not what.startswith(EPOCH):
            if self._since is None and what.startswith("epoch"):
                self._since = time.monotonic()
            super().progress(worker, what, done, total)
            return
        self._epochs, self.last = self._epochs + 1, f"the end of epoch {done}"
        left = (time.monotonic() - (self._since or time.monotonic())) / self._epochs * (total - done)
        ahead = f", {duration(left)} left" if done < total else ""
        self.line(f"epoch {done}/{total}: {what.removeprefix(EPOCH)}{ahead}")
