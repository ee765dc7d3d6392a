"""One small head with a tumour in it, stored along any axes."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

START = datetime(2024, 3, 5, 9, 30)
VISIT_DAYS = (0.0, 30.25, 61.5)
RAS = Grid.from_spacing((22, 24, 20), (2.0, 2.0, 2.0), (-21.0, -23.0, -19.0))
VALUES = {"diffusivity_mm2_per_day": 0.15, "proliferation_per_day": 0.04}


def stored(order: tuple[int, int, int], flips: tuple[bool, bool, bool], grid: Grid = RAS) -> Grid:
    """The grid with the same voxel centres whose axes are those of ``grid`` in another order and direction."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for new, old in enumerate(order):
        to_old[old, new] = -1 if flips[new] else 1
        to_old[old, 3] = grid.shape[old] - 1 if flips[new] else 0
    return Grid(tuple(grid.shape[old] for old in order), grid.ijk_to_ras @ to_old)


def turned(degrees: float) -> Grid:
    """A grid of the same spacing, turned about two axes and large enough for the head."""
    a, b = np.radians(degrees), np.radians(degrees / 2)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine, shape = np.eye(4), (28, 28, 28)
    affine[:3, :3] = 2.0 * about_z @ about_x
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def head(grid: Grid = RAS, adc: bool = True) -> PatientData:
    """An ellipsoid brain with white matter inside grey, a ventricle, and a tumour that grows over three visits."""
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), axis=-1))

    def ellipsoid(centre, radii) -> np.ndarray:
        return (((ras - centre) / np.array(radii)) ** 2).sum(axis=-1)

    def image(array, name, unit="") -> Image:
        return Image(array, grid, name, unit)

    brain = ellipsoid((0, 0, 0), (19.0, 21.0, 17.0)) <= 1
    white = 0.5 - 0.5 * np.tanh(3 * (ellipsoid((0, 0, 0), (15.0, 17.0, 13.0)) - 1))
    fluid = 0.5 - 0.5 * np.tanh(2 * (ellipsoid((-6.0, 2.0, 1.0), (3.0, 6.0, 3.0)) - 1))
    tissues = {
        "white_matter": image(white * (1 - fluid), "white"),
        "grey_matter": image((1 - white) * (1 - fluid), "grey"),
        "csf": image(fluid, "csf"),
    }
    visits = []
    for number, day in enumerate(VISIT_DAYS):
        size = 1 + 0.12 * number
        distance = ellipsoid((5.4, -4.3, 2.2), (8.0 * size, 9.0 * size, 7.5 * size))
        whole, core = distance <= 1, distance <= 0.35
        regions = {"enhancing": image(core, "core"), "edema": image(whole & ~core, "edema")}
        cellularity = np.where(whole, 0.85 - 0.6 * np.sqrt(distance), 0.7)
        images = {"ADC": image((3000 * (1 - cellularity)).astype(np.float32), "ADC", "1e-6 mm2/s")} if adc else {}
        visits.append(Visit(START + timedelta(days=day), images, regions))
    treatments = [RadiotherapyFraction(START + timedelta(days=10.0 + day), 2.0) for day in range(5)]
    treatments += [DrugDose(START + timedelta(days=9.9 + day), "TMZ", 75.0, "mg/m2") for day in range(5)]
    return PatientData("HEAD", visits=visits, treatments=treatments, brain_mask=image(brain, "brain"), tissues=tissues)
