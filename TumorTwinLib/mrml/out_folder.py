"""A result folder that is whole or not there, and never someone else's."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError

RUN_FILE = "run.json"  # what marks a folder as ours
_PROGRAM = "TumorTwin"


def check_out_folder(out: Path, patient: Path) -> None:
    """Refuse a place that results must not go to, before any work is done.

    Raises:
        TumorTwinError: a file, a folder with other content, a place inside the patient, or one that cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise TumorTwinError(f"{out} is a file: give a folder for the results with --out.")
    if out.is_dir() and any(out.iterdir()) and not _is_ours(out):
        raise TumorTwinError(f"{out} holds files that are not results of TumorTwin: give a new or empty folder.")
    if patient.is_dir() and out.resolve().is_relative_to(patient.resolve()):
        raise TumorTwinError(f"{out} lies inside the patient's folder {patient}: give a folder elsewhere.")
    existing = next(parent for parent in out.absolute().parents if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise TumorTwinError(f"{existing} cannot be written to: give a folder elsewhere.")


@contextmanager
def filling(out: Path) -> Iterator[Path]:
    """A sibling folder to fill, which takes the final name when the block ends well and is removed when it does not.

    An earlier result under the final name is replaced only then.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{out.name}.partial-", dir=out.parent))
    try:
        yield unfinished
        unfinished.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        _take_place(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_run_file(folder: Path, contents: dict) -> None:
    text = json.dumps({"program": _PROGRAM, **contents}, indent=2, ensure_ascii=False, default=str)
    (folder / RUN_FILE).write_text(text + "\n", encoding="utf-8")


def _take_place(finished: Path, out: Path) -> None:
    """Two renames; a folder cannot be replaced in one."""
    earlier = finished.with_name(finished.name.replace(".partial-", ".earlier-"))
    if out.exists():
        out.rename(earlier)
    try:
        finished.rename(out)
    except OSError:
        if earlier.exists():
            earlier.rename(out)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        return json.loads((folder / RUN_FILE).read_text(encoding="utf-8")).get("program") == _PROGRAM
    except (OSError, ValueError, AttributeError):
        return False
