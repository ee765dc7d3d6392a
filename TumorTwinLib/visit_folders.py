"""Which sub-folders of a patient's folder are visits, and when they were.

A visit's folder begins with its date (``2024-03-05``) and optionally its time (``2024-03-05T1400``), or is listed in
``visits.csv`` with the columns ``date`` and ``folder``.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from TumorTwinLib.csv_rows import parse_time, read_rows
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.volume_files import volume_suffix

_DATED_FOLDER = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2})(\d{2}))?(?![\dT])")


def visit_folders(folder: Path) -> list[tuple[datetime, Path]]:
    """The visits of a patient's folder, in order of time: those of ``visits.csv``, else the dated sub-folders.

    Raises:
        TumorTwinError: there is none, a folder with volumes bears no date, or ``visits.csv`` names no folder.
    """
    table = folder / "visits.csv"
    if table.is_file():
        visits = []
        for where, row in read_rows(table, ("date", "folder")):
            path = folder / row["folder"]
            if not row["folder"] or not path.is_dir():
                raise TumorTwinError(
                    f"{where} names the folder '{row['folder']}', which does not exist: correct the name."
                )
            visits.append((parse_time(row["date"], where), path))
        if not visits:
            raise TumorTwinError(f"{table} lists no visits: add a line with date and folder for each.")
        return visits
    visits = []
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        time = time_of_folder(path)
        if time is not None:
            visits.append((time, path))
        elif volumes_in(path):
            raise TumorTwinError(
                f"{path} holds volumes but its name has no date: begin it with 2024-03-05 or 2024-03-05T1400, "
                "or list the visits in visits.csv."
            )
    if not visits:
        raise TumorTwinError(
            f"{folder} holds no visits: put each into a folder named by its date, such as 2024-03-05, "
            "or give the path of a JSON patient file instead."
        )
    return sorted(visits)  # a directory listing has no order of its own


def time_of_folder(path: Path) -> datetime | None:
    """The date and time that a folder's name begins with, or None.

    Raises:
        TumorTwinError: it begins like a date but is none, such as 2024-13-05.
    """
    match = _DATED_FOLDER.match(path.name)
    if match is None:
        return None
    day, hour, minute = match.groups()
    return parse_time(f"{day}T{hour}:{minute}" if hour else day, str(path))


def volumes_in(folder: Path) -> list[Path]:
    """The volume files of one folder, sorted; hidden ones are not seen."""
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".") and volume_suffix(p))
