"""Frames of a job folder: the field of one day a file, there to be looked at as soon as it is announced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.jobs.files import PART, inside, read_array, read_json, write_array, write_json

FRAMES, PREVIEW = "frames", "preview"
_GRID_FILE = "grid.json"
_FRAME_NAME = re.compile(r"day_(\d+(?:\.\d+)?)\.npy")


@dataclass(frozen=True)
class Frame:
    """One day's field on disk.

    Args:
        day: days since the first visit.
        file: relative to the job folder.
        preview: what the fit so far would forecast, instead of the forecast itself.
    """

    day: float
    file: str
    preview: bool = False


class FrameFolder:
    """Writes the frames of one forecast, or of its previews.

    Args:
        job: the job folder.
        fingerprint: of everything the frames follow from; frames of other inputs are removed.
    """

    def __init__(self, job: Path, grid: Grid, fingerprint: str, *, preview: bool = False) -> None:
        self._job, self._preview = job, preview
        self._name = PREVIEW if preview else FRAMES
        self._known = {frame.file for frame in frames_of(job, fingerprint, preview=preview)}
        folder = job / self._name
        for old in (*folder.glob("*.npy"), *folder.glob(f"*{PART}")):
            if f"{self._name}/{old.name}" not in self._known:
                old.unlink()
        write_json(folder / _GRID_FILE, {"fingerprint": fingerprint, **grid.to_dict()})

    def write(self, day: float, field: np.ndarray) -> Frame:
        """Write the field, (ni, nj, nk), unless it is there from before the job was stopped."""
        frame = Frame(day, f"{self._name}/{frame_name(day)}", self._preview)
        if self._preview or frame.file not in self._known:
            write_array(self._job / frame.file, np.asarray(field, dtype=np.float32))
        return frame


def frame_name(day: float) -> str:
    """``day_0012.5.npy``: sorts by day, and holds all of its digits."""
    whole, _, fraction = np.format_float_positional(day, trim="-").partition(".")
    return f"day_{int(whole):04d}{'.' + fraction if fraction else ''}.npy"


def frames_of(job: Path, fingerprint: str | None = None, *, preview: bool = False) -> tuple[Frame, ...]:
    """The frames in a job folder by day; none where they follow from other inputs than the fingerprint's."""
    name = PREVIEW if preview else FRAMES
    folder = job / name
    if not (folder / _GRID_FILE).is_file():
        return ()
    if fingerprint is not None and read_json(folder / _GRID_FILE).get("fingerprint") != fingerprint:
        return ()
    matches = (_FRAME_NAME.fullmatch(path.name) for path in folder.iterdir())
    days = sorted((float(match[1]), match[0]) for match in matches if match)
    return tuple(Frame(day, f"{name}/{file}", preview) for day, file in days)


def read_frame(job: Path, frame: Frame) -> Image:
    """The field of a frame, dimensionless cellularity.

    Raises:
        TumorTwinError: the frame is not there, or not inside the job folder.
    """
    path = inside(job, frame.file)
    grid = read_json(path.parent / _GRID_FILE)
    try:
        return Image(read_array(path), Grid.from_dict(grid), f"day {frame.day:g}")
    except (KeyError, TypeError) as error:
        raise TumorTwinError(f"{path.parent / _GRID_FILE} is no grid: run the job again.") from error
