"""Measured figures as rows of JSON: one file an area, one row a name, each with its command, machine and date."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Literal, TypedDict

RESULTS = Path(__file__).parent / "results"


class Row(TypedDict):
    name: str
    value: float
    unit: str
    target: float | None
    better: Literal["lower", "higher"]
    command: str
    machine: str
    date: str


def machine_description() -> str:
    """Processor, cores, memory, system and Python; nothing that names the machine."""
    cpu, memory = platform.processor() or platform.machine(), ""
    try:  # Linux says more than the platform module
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    cores = os.cpu_count() or 1
    return f"{cpu}, {cores} cores{memory}, {platform.system()}, Python {platform.python_version()}"


def record(
    area: str,
    name: str,
    value: float,
    unit: str,
    target: float | None,
    better: Literal["lower", "higher"],
    command: str,
    *,
    folder: Path = RESULTS,
) -> Row:
    """Write one figure to ``<folder>/<area>.json``, replacing the row of that name and keeping the others.

    Args:
        area: what the file is about, e.g. ``"solver"``.
        name: of the figure; unique in the area.
        value, unit: what was measured. Rounded to six significant digits.
        target: what was aimed at, or None when the figure is only reported.
        better: which direction is good.
        command: what a reader runs to measure it again.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is 'lower' or 'higher', not {better!r}")
    row: Row = {
        "name": name,
        "value": float(f"{value:.6g}"),
        "unit": unit,
        "target": target,
        "better": better,
        "command": command,
        "machine": machine_description(),
        "date": datetime.date.today().isoformat(),
    }
    rows = {old["name"]: old for old in read(area, folder=folder)} | {name: row}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([rows[key] for key in sorted(rows)], indent=2, allow_nan=False)
    (folder / f"{area}.json").write_text(text + "\n", encoding="utf-8")
    return row


def read(area: str, *, folder: Path = RESULTS) -> list[Row]:
    """The rows of an area, or none when it was never measured."""
    path = folder / f"{area}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def reached(row: Row) -> bool | None:
    """Whether the value is on the good side of its target; None without one."""
    if row["target"] is None:
        return None
    return row["value"] <= row["target"] if row["better"] == "lower" else row["value"] >= row["target"]
