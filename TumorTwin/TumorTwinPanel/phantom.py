"""A tiny patient made of spheres, for the self test: small enough to be calibrated in seconds, real all the way."""

from __future__ import annotations

from datetime import datetime, timedelta

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import RadiotherapyFraction

_SHAPE = (28, 30, 26)
_SPACING_MM = 4.0
_START = datetime(2024, 3, 4, 9, 30)
_RADII_MM = {0.0: 14.0, 40.0: 18.0, 80.0: 20.0}  # of the tumor by day


def phantomPatient() -> PatientData:
    """Three visits of a round tumor in a round brain, with anatomy, segmentation and one fraction of radiotherapy."""
    import numpy as np

    origin_mm = -_SPACING_MM * (np.array(_SHAPE) - 1) / 2
    grid = Grid.from_spacing(_SHAPE, (_SPACING_MM,) * 3, origin_mm)
    positions_mm = grid.ras_mm(np.moveaxis(np.indices(_SHAPE), 0, -1))
    brain = np.linalg.norm(positions_mm, axis=-1) < 48.0
    distance_mm = np.linalg.norm(positions_mm - [12.0, 8.0, -4.0], axis=-1)
    visits = []
    for day, radius_mm in _RADII_MM.items():
        core, whole = distance_mm < 0.6 * radius_mm, distance_mm < radius_mm
        anatomy = 100.0 * brain + 60.0 * whole + 80.0 * core
        name = f"phantom day {day:g}"
        regions = {"enhancing": Image(core, grid, name), "edema": Image(whole & ~core, grid, name)}
        images = {"T1CE": Image(anatomy.astype(np.float32), grid, name)}
        visits.append(Visit(_START + timedelta(days=day), images, regions))
    fraction = RadiotherapyFraction(_START + timedelta(days=20), 2.0)
    return PatientData("Phantom", visits=visits, treatments=[fraction], brain_mask=Image(brain, grid, "phantom brain"))
