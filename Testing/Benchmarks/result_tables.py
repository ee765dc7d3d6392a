"""Tables behind the figures, a file each: ``results/tables/<name>.json`` is a list of rows with the same keys."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from Testing.Benchmarks.results import RESULTS

TABLES = RESULTS / "tables"
Cell = float | str | None


def write_table(name: str, rows: Sequence[Mapping[str, Cell]], *, folder: Path = TABLES) -> None:
    """Replace a table. Numbers are rounded to six significant digits; one that is not finite is written as null."""
    lines = [json.dumps({key: _plain(cell) for key, cell in row.items()}, allow_nan=False) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", encoding="utf-8")


def read_table(name: str, *, folder: Path = TABLES) -> list[dict[str, Cell]]:
    """The rows of a table, or none when it was never measured."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _plain(cell: Cell) -> Cell:
    if cell is None or isinstance(cell, str):
        return cell
    return float(f"{cell:.6g}") if math.isfinite(cell) else None
