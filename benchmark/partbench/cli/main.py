"""The command line `bench`. Commands import heavy modules when they run, so that `bench` starts quickly."""

from __future__ import annotations

import errno
import io
import sys
import warnings
from typing import Any

import click

from partbench import __version__
from partbench.cli.cache import cache
from partbench.cli.check import check
from partbench.cli.compare import compare
from partbench.cli.data import data
from partbench.cli.listing import doctor, list_
from partbench.cli.metric_card import metric_card
from partbench.cli.new import new
from partbench.cli.pages import leaderboard
from partbench.cli.performer import performer
from partbench.cli.results import results
from partbench.cli.run import run
from partbench.cli.score import score
from partbench.cli.show import show
from partbench.cli.submission import accept, submit, withdraw
from partbench.cli.usage import Commands, wrong_usage
from partbench.cli.verify import verify
from partbench.errors import InputError
from partbench.results.plain_text import printable


class Program(Commands):
    """A group whose commands end a user's mistake in one line with exit code 2, and Ctrl-C with 130."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command. Finished cells survive an interrupt because they are already on disk."""
        try:
            for stream in (sys.stdout, sys.stderr):  # a terminal may lack characters of names and tables
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(errors="replace")
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(context)
        except InputError as error:
            click.echo(f"bench: {printable(str(error))}", err=True)
            context.exit(2)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            click.echo(f"bench: no file {printable(str(error.filename))[:80]}...: the name is too long", err=True)
            context.exit(2)
        except KeyboardInterrupt:
            click.echo("bench: interrupted; finished cells are kept, the same command goes on from there", err=True)
            context.exit(130)
        except click.UsageError as error:
            raise wrong_usage(error) from error

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the options before the command."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise wrong_usage(error) from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="partbench")
def main() -> None:
    """partbench: a benchmark of explainers of image classifiers.

    \b
    bench run --plugin srae                      score an explainer on embedded data
    bench run --plugin ./mine.py --task fauna/multi:bird
    bench new explainer mine                     a plugin to begin with
    bench check ./mine.py                        does the plugin keep the contract?
    bench list explainers                        names, versions, descriptions
    bench compare srae nn                        which is better, metric by metric
    bench leaderboard                            rebuild leaderboards/ from results/
    bench metric-card part_following             what a metric is worth
    bench data info                              where to get datasets; check a folder, note it
    bench performer train fauna/multi --network torchvision:resnet18 --name mine
    bench score --metric part_following          add a metric to finished cells
    bench submit --plugin ./mine.py              bundle results and code, to submit them
    bench verify mine.zip                        run cells again and compare the values
    bench cache                                  what is cached; check it, clear it
    bench results query 'select ...'             ask the results in SQL
    bench completion bash >> ~/.bashrc           complete names with TAB
    """


COMMANDS = (
    run, new, check, list_, show, compare, leaderboard, metric_card, results, score, submit, verify, accept, withdraw,
    data, performer, cache, doctor,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell code that completes `bench` with TAB.

    \b
    Example:
      bench completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise InputError(f"no completion for {shell}")
    if shell == "bash":  # bash splits words at colons, which task names contain
        click.echo("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")
    click.echo(complete(main, {}, "bench", "_BENCH_COMPLETE").source())


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"bench: warning: {printable(str(message))}", err=True)
