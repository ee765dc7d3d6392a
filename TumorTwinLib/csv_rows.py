"""What users write into comma-separated files: rows by column, and dates with an optional time of day."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """Rows of a comma-separated file as (file and line for messages, cells by column). Blank rows are skipped.

    Raises:
        TumorTwinError: the file is missing or no comma-separated text, or a column is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: Excel begins its files with a mark
            reader = csv.reader(file)
            numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except FileNotFoundError as error:
        raise TumorTwinError(f"{path} does not exist: restore the file or correct the path.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TumorTwinError(f"{path} cannot be read: save it as comma-separated text in UTF-8.") from error
    numbered = [(line, row) for line, row in numbered if any(row)]
    header = [cell.lower() for cell in numbered[0][1]] if numbered else []
    missing = [column for column in columns if column not in header]
    if missing:
        raise TumorTwinError(
            f"{path} lacks the column {', '.join(missing)}: begin it with the line {','.join(columns)}."
        )
    rows = []
    for line, row in numbered[1:]:
        if len(row) > len(header):
            raise TumorTwinError(
                f"{path} line {line} has {len(row)} cells for {len(header)} columns: quote cells that contain commas."
            )
        cells = dict(zip(header, [*row, *[""] * (len(header) - len(row))], strict=True))
        rows.append((f"{path} line {line}", cells))
    return rows


def parse_time(text: object, where: str) -> datetime:
    """A date with an optional time of day, ISO 8601, local to the patient: ``2024-03-05`` or ``2024-03-05T14:00``.

    Raises:
        TumorTwinError: it cannot be read, or carries a time zone, which would make days depend on the reader's place.
    """
    try:
        time = datetime.fromisoformat(str(text).strip())
    except ValueError as error:
        raise TumorTwinError(f"{where} has the date '{text}': write it as 2024-03-05 or 2024-03-05T14:00.") from error
    if time.tzinfo is not None:
        raise TumorTwinError(f"{where} has a time zone in '{text}': write the local time without it.")
    return time
