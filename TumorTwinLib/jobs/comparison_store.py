"""A comparison of regimens in ``result.json``; its maps are arrays of one byte a voxel beside it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.jobs.files import inside, read_array, write_array
from TumorTwinLib.jobs.patient_store import event_entry, read_event

if TYPE_CHECKING:
    from TumorTwinLib.recommend.record import ComparisonRecord

_FOLDER = "comparison"


def write_comparison(folder: Path, record: ComparisonRecord) -> dict[str, Any]:
    """Write the maps into the job folder; what is to stand in ``result.json``."""
    files = {}
    for number, (name, density) in enumerate(record.density.items()):
        files[name] = f"{_FOLDER}/density_{number:02d}.npy"
        write_array(folder / files[name], density)
    courses = {
        name: [event_entry(event, number, lambda _name, _image: None) for number, event in enumerate(events, start=1)]
        for name, events in record.courses.items()
    }
    return {
        "comparison": record.comparison.to_dict(),
        "start": record.start.isoformat(),
        "courses": courses,
        "grid": record.grid.to_dict(),
        "days": record.days.tolist(),
        "density": files,
        "fingerprint": record.fingerprint,
    }


def reading_comparison(folder: Path, data: Mapping[str, Any]) -> Generator[None, None, ComparisonRecord]:
    """What ``write_comparison`` wrote, in steps of one map."""
    from TumorTwinLib.recommend.comparison import Comparison
    from TumorTwinLib.recommend.record import ComparisonRecord

    density = {}
    for name, file in data["density"].items():
        density[name] = read_array(inside(folder, file))
        yield
    courses = {
        name: tuple(read_event(entry, lambda _: None) for entry in entries) for name, entries in data["courses"].items()
    }
    return ComparisonRecord(
        Comparison.from_dict(data["comparison"]), datetime.fromisoformat(data["start"]), courses,
        Grid.from_dict(data["grid"]), np.array(data["days"], dtype=float), density, data["fingerprint"],
    )  # fmt: skip
