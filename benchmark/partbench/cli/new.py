"""`bench new`: the files of a plugin to begin with."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("kind", type=click.Choice(["explainer", "metric", "dataset", "performer"]))
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."),
    help="Folder in which the folder NAME is made.  [default: the current one]",
)  # fmt: skip
def new(kind: str, name: str, folder: Path) -> None:
    """Write a plugin into the folder NAME: it runs as it stands, for you to change.

    NAME is what the plugin is called and the name of its module: lower-case letters, digits and underscores. The folder
    holds the plugin, its tests, a README and a package that pip can install.

    \b
    Examples:
      bench new explainer my_explainer
      bench new dataset my_images --folder ~/plugins
    """
    from partbench.catalogue import catalogue
    from partbench.cli.skeleton import write_skeleton

    taken = {plugin.name: plugin.distribution for plugin in catalogue().of(f"{kind}s")}
    place = write_skeleton(kind, name, folder, taken)
    for file in sorted(place.iterdir()):
        click.echo(str(file))
    click.echo(f"next: bench check {place}; bench run --plugin {place / name}.py; pytest {place}")
