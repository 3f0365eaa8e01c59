"""Mistakes in the words of a command line, in one line as all other mistakes of the user."""

from __future__ import annotations

from typing import IO, Any

import click

from partbench.errors import unknown
from partbench.results.plain_text import printable


class WrongUsage(click.ClickException):
    """A command line that cannot be parsed: its message is printed in one line; exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line on stderr."""
        click.echo(f"bench: {printable(self.message)}", file=file, err=True)


class Commands(click.Group):
    """A group that answers the name of an unknown command with the nearest one."""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command. Raises click.UsageError for an unknown one."""
        if args and args[0] not in self.commands and not args[0].startswith("-") and not context.resilient_parsing:
            raise click.UsageError(str(unknown("command", args[0], self.commands)))
        return super().resolve_command(context, args)


def wrong_usage(error: click.UsageError) -> click.ClickException:
    """What to raise in place of an error of click; `bench` alone, which asks for help, stays as it is."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.1 has no such error
        return error
    return WrongUsage(_line(error))


def _line(error: click.UsageError) -> str:
    """What was given and what is expected; where click does not know this, where to read of it."""
    if isinstance(error, click.NoSuchOption):
        near = f"did you mean {error.possibilities[0]}?" if error.possibilities else _see(error)
        return f"no option {error.option_name}; {near}"
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter) and error.param:
        given, found, _ = error.message.partition(" is not ")
        if found and (expected := _expected(error.param.type)):
            return f"{_name(error.param)} is {given}, expected {expected}"
        return f"{_name(error.param)}: {_lower(error.message)}"
    text = _lower(error.format_message())
    return text if "; " in text else f"{text}; {_see(error)}"


def _see(error: click.UsageError) -> str:
    return f"see `{error.ctx.command_path if error.ctx else 'bench'} --help`"


def _lower(text: str) -> str:
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]


def _name(parameter: click.Parameter) -> str:
    """An option as it is typed, an argument by its name in capitals."""
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else (parameter.name or "").upper()


def _expected(kind: click.ParamType) -> str:
    """What values a type takes, in words; "" if nothing is known of it."""
    if isinstance(kind, click.Choice):
        return f"one of {', '.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange | click.FloatRange):
        number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
        if kind.min is None:
            return number if kind.max is None else f"{number} of at most {kind.max}"
        if kind.max is None:
            return f"{number} {'above' if kind.min_open else 'of at least'} {kind.min}"
        return f"{number} {'above' if kind.min_open else 'from'} {kind.min} to {kind.max}"
    return {"integer": "a whole number", "float": "a number"}.get(kind.name, "")
