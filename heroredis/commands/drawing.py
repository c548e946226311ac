"""LOLWUT: the version, and for those who ask for version 5 or 6 a drawing by chance, in characters."""

from __future__ import annotations

import math
import random
from typing import Final

from heroredis.args import integer
from heroredis.command import command
from heroredis.reply import Reply, Verbatim
from heroredis.session.context import Context
from heroredis.version import REDIS_VERSION

DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character by row and column."""
BRAILLE: Final = 0x2800
SHADES: Final = " ░▒▓█"


class Canvas:
    """Dots, two by four in a character."""

    def __init__(self, width: int, height: int) -> None:
        self.width: Final = width
        self.height: Final = height
        self._cells: Final = [[0] * (-(-width // 2)) for _ in range(-(-height // 4))]

    def dot(self, x: int, y: int) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self._cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        steps = int(max(abs(to_x - x), abs(to_y - y))) + 1
        for step in range(steps + 1):
            self.dot(round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps))

    def text(self) -> str:
        return "".join("".join(chr(BRAILLE + cell) for cell in row).rstrip(chr(BRAILLE)) + "\n" for row in self._cells)


def squares(rng: random.Random, columns: int, across: int, down: int) -> str:
    """Squares that stand in line at the top and lose their hold towards the bottom."""
    width = columns * 2
    side = width / (across + 1)
    canvas = Canvas(width, int(side * (down + 1)))
    for row in range(down):
        for column in range(across):
            loose = row / down
            angle = math.pi / 4 + (rng.random() - 0.5) * loose * math.pi / 2
            x = side * (column + 1) + (rng.random() - 0.5) * loose * side
            y = side * (row + 1) + (rng.random() - 0.5) * loose * side
            corners = [(x + side * 0.66 * math.cos(angle + turn * math.pi / 2),
                        y + side * 0.66 * math.sin(angle + turn * math.pi / 2)) for turn in range(5)]
            for at in range(4):
                canvas.line(*corners[at], *corners[at + 1])
    return canvas.text()


def skyline(rng: random.Random, columns: int, rows: int) -> str:
    """Houses before the night sky, some windows lit."""
    lines = [[" "] * columns for _ in range(rows)]
    for _ in range(columns * rows // 60):
        lines[rng.randrange(rows)][rng.randrange(columns)] = "."
    left = 0
    while left < columns:
        width = rng.randrange(4, 10)
        wall = SHADES[rng.randrange(2, 5)]
        for y in range(rows - rng.randrange(1, max(2, rows * 3 // 4)), rows):
            for x in range(left, min(columns, left + width)):
                is_window = (x - left) % 2 == 1 and y % 2 == 1 and rng.random() < 0.4
                lines[y][x] = SHADES[0] if is_window else wall
        left += width + rng.randrange(2)
    return "".join("".join(line).rstrip() + "\n" for line in lines)


def _size(text: bytes, least: int, most: int) -> int:
    return min(most, max(least, integer(text)))


@command("LOLWUT", "The version, with a drawing for those who ask for VERSION 5 or 6.", group="server", since="5.0.0",
         flags="readonly fast")
def lolwut(ctx: Context, *options: bytes) -> Reply:
    drawn = ""
    if len(options) >= 2 and options[0].upper() == b"VERSION":
        version = integer(options[1])
        sizes = options[2:5]
        if version == 5:
            across, down = (_size(text, 1, 30) for text in (*sizes[1:], *(b"8", b"12")[len(sizes[1:]):]))
            drawn = squares(ctx.server.rng, _size(sizes[0], 1, 200) if sizes else 66, across, down) + "\n"
        elif version == 6:
            columns = _size(sizes[0], 1, 200) if sizes else 80
            drawn = skyline(ctx.server.rng, columns, _size(sizes[1], 1, 60) if len(sizes) > 1 else 20) + "\n"
    return Verbatim(f"{drawn}Redis ver. {REDIS_VERSION}\n".encode())
