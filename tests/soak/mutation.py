"""Damage of all kinds to bytes and to texts, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

HUGE = tuple(
    number.to_bytes(width, order, signed=number < 0)
    for width, numbers in {
        2: (0, -1, 0x7FFF),
        4: (0, -1, 0x7FFFFFFF, 0x10000000, 1 << 20),
        8: (0, -1, (1 << 63) - 1, 1 << 40, 1 << 31),
    }.items()
    for number in numbers
    for order in ("little", "big")
)
NUMBERS = ("0", "-1", "1e999", "nan", "-inf", "9" * 5000, "0x10", "1_0", "1e-400", "18446744073709551616", "٣", "½")
STRANGE = (
    "\0", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\ufffe",
    "é", "e\u0301", "ß", "İ", "𝔞", "🦜", "\ud800", "\udcff", "a\u0300" * 40,
)  # fmt: skip
MARKS = (
    "/", "//", "@", "@@", ":", "*", "**", "?", "[", "]", "[" * 5000, "{", "}", '"', "'", "\\", "=", ",", "..", "-", " ",
    "%s", "{0}", "$HOME", "~", ";", "--", "/*", "(" * 500,
)  # fmt: skip


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    """One to eight bits changed."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8)) if data else 0):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def flip_early(data: bytes, draw: random.Random) -> bytes:
    """As `flip_bits` in the first 512 bytes, where headers are."""
    return flip_bits(data[:512], draw) + data[512:]


def truncate(data: bytes, draw: random.Random) -> bytes:
    """The beginning."""
    return data[: draw.randrange(len(data) + 1)]


def splice(data: bytes, draw: random.Random) -> bytes:
    """A block of the data written over another place of it."""
    start, length, target = _block(data, draw), draw.choice((4, 16, 512)), _block(data, draw)
    return data[:target] + data[start : start + length] + data[target + length :]


def repeat_block(data: bytes, draw: random.Random) -> bytes:
    """A block inserted again after itself, several times: all that follows moves."""
    start, length = _block(data, draw), draw.choice((1, 8, 100))
    return data[: start + length] + data[start : start + length] * draw.randint(1, 5) + data[start + length :]


def remove_block(data: bytes, draw: random.Random) -> bytes:
    """A block left out."""
    start = _block(data, draw)
    return data[:start] + data[start + draw.choice((1, 8, 100)) :]


def blank(data: bytes, draw: random.Random) -> bytes:
    """A run of zeros or of 0xFF, as of blocks that never reached the disk."""
    start, length = _block(data, draw), draw.choice((4, 64, 512))
    length = min(length, len(data) - start)
    return data[:start] + draw.choice((b"\0", b"\xff")) * length + data[start + length :]


def plant_number(data: bytes, draw: random.Random) -> bytes:
    """An extreme number where a header may have a length, a count or an offset."""
    number = draw.choice(HUGE)
    start = _block(data[: draw.choice((64, 512, 4096, len(data)))], draw)
    return data[:start] + number + data[start + len(number) :]


def replace_all(data: bytes, draw: random.Random) -> bytes:
    """Noise, nothing, or zeros."""
    return draw.choice((b"", draw.randbytes(draw.randint(1, 2000)), bytes(draw.randint(1, 2000))))


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bits, flip_bits, flip_early, truncate, splice, repeat_block, remove_block, blank, plant_number, plant_number,
)  # fmt: skip


def damaged(data: bytes, n: int, seed: int = 0) -> Iterator[bytes]:
    """`n` damaged copies, each by one of `BYTES`, sometimes by two; a hundredth of them has nothing of the data."""
    for number in range(n):
        draw = random.Random(f"{seed} {number}")
        changed = draw.choice(BYTES)(data, draw)
        if draw.random() < 0.2:
            changed = draw.choice(BYTES)(changed, draw)
        yield replace_all(data, draw) if number % 100 == 99 else changed


def edited(text: str, n: int, seed: int = 0) -> Iterator[str]:
    """`n` edits of a text: characters and pieces of it removed, doubled, swapped or replaced by strange ones."""
    for number in range(n):
        draw = random.Random(f"{seed} {number}")
        changed = text
        for _ in range(draw.choice((1, 1, 2, 4))):
            changed = _edit(changed, draw)
        yield changed


def _edit(text: str, draw: random.Random) -> str:
    start = draw.randrange(len(text) + 1)
    end = min(len(text), start + draw.choice((0, 1, 3, 20)))
    kind = draw.randrange(9)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        return text[:end] + text[start:]
    if kind == 2:
        return text[start:] + text[:start]
    if kind == 3:
        return text.swapcase()
    if kind == 4:
        return draw.choice(("", " ", text[:1] * draw.choice((300, 20_000)), text * 50))
    new = draw.choice(draw.choice((STRANGE, MARKS, NUMBERS)))
    return text[:start] + new + text[end if kind < 7 else start :]


def _block(data: bytes, draw: random.Random) -> int:
    return draw.randrange(len(data)) if data else 0
