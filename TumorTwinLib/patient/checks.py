"""What must hold of a patient before any model sees it, wherever the parts came from.

Each check raises ``TumorTwinError`` with one sentence naming the file or node, what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.treatment.dosing import STANDARD_BODY_SURFACE_AREA_M2
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

if TYPE_CHECKING:
    from TumorTwinLib.patient.data import Visit

# A rim of tumour outside the brain mask is how brain extraction fails; half outside is a wrong position.
_LEAST_SHARE_INSIDE = 0.5
_SAMPLED_VOXELS = 20_000  # enough to know a share to 1 %


def check_visit_times(times: Sequence[datetime], names: Sequence[str]) -> None:
    """Visits must come in order of time, no two at once: a swapped date is an error to see, not to sort away."""
    for i in range(1, len(times)):
        if times[i] == times[i - 1]:
            raise TumorTwinError(
                f"{names[i]} has the same time as {names[i - 1]}, {times[i]:%Y-%m-%d %H:%M}: "
                "give each visit its own date, with the time of day where needed."
            )
        if times[i] < times[i - 1]:
            raise TumorTwinError(
                f"{names[i]} ({times[i]:%Y-%m-%d %H:%M}) is listed after {names[i - 1]} "
                f"({times[i - 1]:%Y-%m-%d %H:%M}) but is earlier: correct its date or list the visits in order of time."
            )


def check_treatment_times(treatments: Sequence[TreatmentEvent], start: datetime, source: str) -> None:
    """Nothing can be applied before the first visit, where the model's time begins."""
    early = min((event for event in treatments if event.time < start), key=lambda event: event.time, default=None)
    if early is not None:
        raise TumorTwinError(
            f"{source} has {_describe(early)} on {early.time:%Y-%m-%d %H:%M}, before the first visit "
            f"({start:%Y-%m-%d %H:%M}): add an earlier visit, add the time of day, or remove the treatment."
        )


def check_brain_mask(brain_mask: Image) -> None:
    if not (brain_mask.array > 0).any():
        raise TumorTwinError(f"{brain_mask.name} is an empty brain mask: give one that covers the brain.")


def check_tissues(tissues: Mapping[str, Image]) -> None:
    """Tissue maps are fractions; a map in percent or in grey levels would scale the diffusivity unseen."""
    for tissue, image in tissues.items():
        low, high = float(image.array.min()), float(image.array.max())
        if low < -1e-3 or high > 1 + 1e-3:
            raise TumorTwinError(f"{image.name} ({tissue}) ranges from {low:g} to {high:g}: rescale it to 0 to 1.")


def check_visit(visit: Visit, brain_mask: Image) -> None:
    """Regions share a grid, hold at least one voxel, and lie in the brain and in the images of their visit."""
    masks = list(visit.regions.values())
    images = list(visit.images.values())
    if not masks and not images:
        raise TumorTwinError(f"The visit of {visit.time:%Y-%m-%d %H:%M} has no images: add them or remove the visit.")
    for mask in masks[1:]:
        if not mask.grid.same_as(masks[0].grid):
            raise TumorTwinError(
                f"{mask.name} {_shape(mask)} and {masks[0].name} {_shape(masks[0])} lie on different grids: "
                "segment all regions of a visit on one image."
            )
    brain_mm = _sample_ras_mm(brain_mask)
    for image in images:
        if not _inside(brain_mm, image).any():
            raise TumorTwinError(f"{image.name} does not overlap {brain_mask.name}: register both to one space.")
    tumour = visit.whole_tumor
    if tumour is None:
        return
    if not tumour.array.any():
        raise TumorTwinError(f"{tumour.name} is an empty segmentation: segment the tumor, or remove it from the visit.")
    tumour_mm = _sample_ras_mm(tumour)
    inside = [
        (brain_mask, _values_at(tumour_mm, brain_mask)),
        *((image, _inside(tumour_mm, image)) for image in images),
    ]
    for other, hits in inside:
        if hits.mean() < _LEAST_SHARE_INSIDE:
            raise TumorTwinError(
                f"{tumour.name} has {hits.mean():.0%} of its tumor inside {other.name}: register both to one space."
            )


def resolve_body_surface_area(
    treatments: Sequence[TreatmentEvent], body_surface_area_m2: float | None, source: str
) -> tuple[float | None, str | None]:
    """The body surface area to use, and a notice when it is assumed.

    Doses in mg alone differ from doses in mg/m2 by one constant factor, which the calibrated sensitivity absorbs; so an
    unknown area is then taken as ``STANDARD_BODY_SURFACE_AREA_M2``. A drug given in both units needs the true one.
    """
    if body_surface_area_m2 is not None:
        if not (np.isfinite(body_surface_area_m2) and body_surface_area_m2 > 0):
            raise TumorTwinError(
                f"{source} has a body surface area of {body_surface_area_m2} m2: give a positive number."
            )
        return float(body_surface_area_m2), None
    units: dict[str, set[str]] = {}
    for event in treatments:
        if isinstance(event, DrugDose):
            units.setdefault(event.drug, set()).add(event.unit)
    for drug, used in units.items():
        if len(used) > 1:
            raise TumorTwinError(
                f"{source} has {drug} in both mg and mg/m2: give body_surface_area_m2 or use one unit."
            )
    in_mg = sorted(drug for drug, used in units.items() if used == {"mg"})
    if not in_mg:
        return None, None
    return STANDARD_BODY_SURFACE_AREA_M2, (
        f"Doses of {', '.join(in_mg)} are in mg and the body surface area is unknown: "
        f"{STANDARD_BODY_SURFACE_AREA_M2} m2 was assumed, which only rescales the fitted drug sensitivity."
    )


def visit_name(visit: Visit) -> str:
    """How messages name a visit: by a file or node of it."""
    first = next(iter([*visit.regions.values(), *visit.images.values()]), None)
    return first.name if first is not None else "The visit without images"


def _describe(event: TreatmentEvent) -> str:
    if isinstance(event, RadiotherapyFraction):
        return f"a radiotherapy fraction of {event.dose_gy:g} Gy"
    if isinstance(event, DrugDose):
        return f"a {event.drug} dose of {event.amount:g} {event.unit}"
    return "a surgery"


def _shape(image: Image) -> str:
    return f"({' x '.join(str(n) for n in image.grid.shape)})"


def _sample_ras_mm(mask: Image) -> np.ndarray:
    """(n, 3) RAS positions of evenly picked voxels of the mask, at most about ``_SAMPLED_VOXELS``."""
    flat = np.flatnonzero(mask.array)
    flat = flat[:: max(1, flat.size // _SAMPLED_VOXELS)]
    return mask.grid.ras_mm(np.stack(np.unravel_index(flat, mask.grid.shape), axis=-1))


def _nearest_ijk(ras_mm: np.ndarray, image: Image) -> np.ndarray:
    to_ijk = np.linalg.inv(image.grid.ijk_to_ras)
    return np.rint(ras_mm @ to_ijk[:3, :3].T + to_ijk[:3, 3]).astype(int)


def _inside(ras_mm: np.ndarray, image: Image) -> np.ndarray:
    """(n,) whether each position falls in a voxel of the image."""
    ijk = _nearest_ijk(ras_mm, image)
    return np.all((ijk >= 0) & (ijk < image.grid.shape), axis=1)


def _values_at(ras_mm: np.ndarray, mask: Image) -> np.ndarray:
    """(n,) whether each position falls in a voxel of the mask that is set."""
    inside = _inside(ras_mm, mask)
    values = np.zeros(len(ras_mm), dtype=bool)
    values[inside] = mask.array[tuple(_nearest_ijk(ras_mm[inside], mask).T)] > 0
    return values
