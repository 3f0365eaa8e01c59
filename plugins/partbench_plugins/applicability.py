"""Checks of a task at the beginning of `fit`, and of the fitted state in `explain`."""

from __future__ import annotations

from typing import TypeVar

from partbench import NotApplicable, TrainingTask

State = TypeVar("State")


def require_one_logit(task: TrainingTask) -> int:
    """The index of the explained logit. Raises NotApplicable where a task explains all logits at once."""
    if task.target is None:
        raise NotApplicable("explains one logit; this task explains all")
    return task.target


def require_layers(task: TrainingTask, *roles: str) -> None:
    """Raise NotApplicable, naming the first of the layers that the task's performer lacks."""
    for role in roles:
        if not task.performer.has(role):
            raise NotApplicable(f"{task.performer.name} has no layer '{role}'")


def fitted(state: State | None) -> State:
    """The state that `fit` sets. Raises RuntimeError where it is None, as before `fit`."""
    if state is None:
        raise RuntimeError("explain was called before fit")
    return state
