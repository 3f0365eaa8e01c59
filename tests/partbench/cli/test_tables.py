"""Tables on stdout."""

from __future__ import annotations

import pytest

from partbench.cli.tables import broken, print_table


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("accuracy ↑", ["accuracy ↑"]),
        ("location_instability ↓", ["location_", "instability ↓"]),
        ("part_following@unmasked ↑", ["part_following", "@unmasked ↑"]),
        ("averyverylongnamewithoutanyjoint", ["averyverylongnam", "ewithoutanyjoint"]),
    ],
)
def test_a_heading_is_broken_at_its_joints(name: str, lines: list[str]) -> None:
    assert broken(name, 16).splitlines() == lines


def test_a_table_in_a_pipe_keeps_wide_cells_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("scores", [{"who": "w" * 90, "what": "[bold]"}])
    printed = capsys.readouterr().out
    assert "w" * 90 in printed
    assert "[bold]" in printed
