"""Archives of strangers: whatever is wrong with one ends in a line, and nothing is written."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from partbench.errors import InputError
from partbench.results import archive
from partbench.results.archive import packed, unpacked

FILES = {"a/b.txt": b"some bytes", "c.bin": bytes(range(256))}


def test_equal_files_make_equal_bytes_whatever_their_order_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed(FILES))
    assert packed(dict(reversed(FILES.items()))) == path.read_bytes()
    assert unpacked(path) == FILES


def written(*entries: tuple[zipfile.ZipInfo | str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for entry, data in entries:
            made.writestr(entry, data)
    return buffer.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def encrypted() -> bytes:
    data = bytearray(packed(FILES))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + place] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path upwards": (lambda: written(("../x", b"1")), "'../x', expected a relative path"),
    "a path upwards within": (lambda: written(("a/../../x", b"1")), "expected a relative path"),
    "an absolute path": (lambda: written(("/etc/x", b"1")), "expected a relative path"),
    "a path of Windows": (lambda: written(("a\\..\\x", b"1")), "is refused"),
    "a drive": (lambda: written(("C:/x", b"1")), "expected a relative path"),
    "a hidden file": (lambda: written((".git/config", b"1")), "expected a relative path"),
    "a name of many lines": (lambda: written(("a\nb\x1b[2J", b"1")), "expected a relative path"),
    "a very long name": (lambda: written(("a" * 5000, b"1")), "expected a relative path"),
    "a link": (lambda: written((link(), b"/etc/passwd")), "no regular file"),
    "a bomb": (lambda: written(("x", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "names that differ in case": (lambda: written(("x", b"1"), ("X", b"2")), "is there twice"),
    "a file that is a folder too": (lambda: written(("x", b"1"), ("X/y/z", b"2")), "x is both a file and a folder"),
    "an encrypted file": (encrypted, "is compressed or encrypted"),
    "a text": (lambda: b"PK, but no archive", "no ZIP archive"),
    "nothing": (lambda: b"", "no ZIP archive"),
    "a cut archive": (lambda: packed(FILES)[:-30], "no ZIP archive, or a damaged one"),
    "a flipped bit": (lambda: packed(FILES).replace(b"some bytes", b"same bytes"), "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_damaged_archive_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make, says = HOSTILE[name]
    path = tmp_path / "x.zip"
    path.write_bytes(make())
    with pytest.raises(InputError) as error:
        unpacked(path)
    assert says in str(error.value)
    assert str(error.value).isprintable()
    assert list(tmp_path.iterdir()) == [path]


def test_archives_are_bounded_when_written_and_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed(FILES))
    monkeypatch.setattr(archive, "MOST_ENTRIES", 1)
    with pytest.raises(InputError, match="holds more than an archive may"):
        unpacked(path)
    with pytest.raises(InputError, match="too many or too large"):
        packed(FILES)
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="larger than an archive may be"):
        unpacked(path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(InputError, match="is no regular file"):
        unpacked(tmp_path / "pipe.zip")
    for path in (tmp_path, tmp_path / "absent.zip"):
        with pytest.raises(InputError, match="cannot read"):
            unpacked(path)
