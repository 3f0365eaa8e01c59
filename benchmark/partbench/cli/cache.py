"""`bench cache`: what is cached, whether it is undamaged, and clearing it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.parameters import json_option
from partbench.cli.usage import Commands
from partbench.errors import InputError, unknown

if TYPE_CHECKING:
    from partbench.cache.upkeep import CachedFile

MB = 2**20
HOUR, DAY = 3600.0, 86_400.0


@click.group(cls=Commands, invoke_without_command=True)
@json_option
@click.pass_context
def cache(context: click.Context, as_json: bool) -> None:
    """List what is cached, by kind: files, MB, age.

    \b
    Examples:
      bench cache
      bench cache list activations        each layer that is stored, the largest first
      bench cache check                   test all checksums
      bench cache clear activations       remove the files of a kind
    """
    if context.invoked_subcommand is not None:
        return
    from partbench.cache.upkeep import cached_files

    folder = _folder()
    rows = kind_rows(list(cached_files(folder)), time.time())
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "kinds": rows}, indent=1))
        return
    from partbench.cli.tables import print_table

    print_table(f"cache in {folder}", [_readable(row) for row in rows])


@cache.command(name="list")
@click.argument("kinds", nargs=-1, metavar="[KIND ...]")
@json_option
def list_files(kinds: tuple[str, ...], as_json: bool) -> None:
    """List each file of these kinds (default: all), the largest first: MB and age.

    Activations have a file for each dataset, performer, split and layer.

    \b
    Examples:
      bench cache list activations
    """
    folder = _folder()
    files = sorted(_of_kinds(folder, kinds), key=lambda file: (-file.size, str(file.path)))
    now = time.time()
    rows: list[dict[str, str | float]] = [
        {
            "file": file.path.relative_to(folder).as_posix(),
            "mb": round(file.size / MB, 1),
            "seconds": round(now - file.written, 1),
        }
        for file in files
    ]
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "files": rows}, indent=1))
        return
    for row in rows:
        click.echo(f"{row['mb']:>9} MB  {_age(float(row['seconds'])):>8}  {row['file']}")
    click.echo(f"{len(files)} files, {sum(file.size for file in files) / MB:.1f} MB in {folder}")


@cache.command()
@click.argument("kinds", nargs=-1, metavar="[KIND ...]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(kinds: tuple[str, ...], yes: bool) -> None:
    """Remove cached files of these kinds (default: all). They are made again when a run needs them."""
    from partbench.cache.upkeep import cached_files
    from partbench.cache.upkeep import clear as remove

    folder = _folder()
    files = _of_kinds(folder, kinds)
    size = sum(file.size for file in files) / MB
    question = f"Remove {len(files)} files ({size:.0f} MB) from {folder}?"
    if files and not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{question} Nobody can be asked here; say --yes")
        click.confirm(question, abort=True)
    remove(folder, kinds)
    if left := sum(1 for _ in cached_files(folder, kinds)):
        raise InputError(f"{left} of {len(files)} files in {folder} could not be removed; are they yours?")
    click.echo(f"removed {len(files)} files ({size:.0f} MB)")


@cache.command()
@click.argument("kinds", nargs=-1, metavar="[KIND ...]")
@click.option("--adopt", is_flag=True, help="Trust files of earlier versions, which have no checksum, as they are now.")
@json_option
def check(kinds: tuple[str, ...], adopt: bool, as_json: bool) -> None:
    """Test the checksums of cached files of these kinds (default: all).

    Exit code 1 if a file is damaged. A run that needs it would make it again.

    \b
    Examples:
      bench cache check
      bench cache check interp_cnn --adopt
    """
    from partbench.cache.upkeep import adopt as adopted

    folder = _folder()
    files = _of_kinds(folder, kinds)
    if adopt:
        for file in files:
            adopted(file, folder)
        files = _of_kinds(folder, kinds)
    faults = {file.path.relative_to(folder).as_posix(): file.fault() for file in files if file.identity is not None}
    damaged = {name: fault for name, fault in faults.items() if fault}
    unchecked = len(files) - len(faults)
    if as_json:
        report = {"folder": str(folder), "checked": len(faults), "damaged": damaged, "without_checksum": unchecked}
        click.echo(json.dumps(report, indent=1))
    else:
        for name, fault in damaged.items():
            click.echo(f"{name}: {fault}")
        click.echo(f"{len(faults) - len(damaged)} of {len(faults)} files in {folder} are undamaged")
        if unchecked:
            click.echo(f"{unchecked} files of earlier versions have no checksum and are not used; see --adopt")
    if damaged:
        sys.exit(1)


def kind_rows(files: Sequence[CachedFile], now: float) -> list[dict[str, str | int | float]]:
    """By kind: number of files, MB, age in s of the newest and the oldest, and files without a checksum."""
    kinds: dict[str, list[CachedFile]] = {}
    for file in files:
        kinds.setdefault(file.kind, []).append(file)
    return [
        {
            "kind": kind,
            "files": len(group),
            "mb": round(sum(file.size for file in group) / MB, 1),
            "newest_seconds": round(now - max(file.written for file in group), 1),
            "oldest_seconds": round(now - min(file.written for file in group), 1),
            "without_checksum": sum(file.identity is None for file in group),
        }
        for kind, group in kinds.items()
    ]


def _readable(row: dict[str, str | int | float]) -> dict[str, str]:
    newest, oldest = (_age(float(row[name])) for name in ("newest_seconds", "oldest_seconds"))
    shown = {"kind": row["kind"], "files": row["files"], "MB": row["mb"], "newest": newest, "oldest": oldest}
    return {name: str(value) for name, value in (shown | {"without checksum": row["without_checksum"]}).items()}


def _age(seconds: float) -> str:
    if seconds < HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR:.0f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def _folder() -> Path:
    from partbench.cache.folder import ADVICE, cache_folder

    folder = cache_folder()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the cache folder {folder} is a file; {ADVICE}")
    return folder


def _of_kinds(folder: Path, kinds: Sequence[str]) -> list[CachedFile]:
    from partbench.cache.upkeep import cached_files

    files = list(cached_files(folder))
    known = {file.kind for file in files}
    for kind in kinds:
        if kind not in known:
            raise unknown("kind of cached files", kind, known)
    return [file for file in files if not kinds or file.kind in kinds]
