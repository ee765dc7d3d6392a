"""From the confirmed index to images: each visit's volumes in physical units, on the grid they were acquired on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from TumorTwinLib.adc_unit import ADC_UNIT, adc_in_standard_unit
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.dicom_headers import quiet_pydicom
from TumorTwinLib.imaging.dicom_pixels import read_stack
from TumorTwinLib.imaging.dicom_stacks import Stack
from TumorTwinLib.imaging.scan_index import ScanIndex, ScanSeries, visit_label
from TumorTwinLib.imaging.suv import SUV_UNIT, suv_factors
from TumorTwinLib.volume_files import geometry_notices, read_volume

HU = "HU"
_AIR_HU = -1024  # scanners pad outside the reconstructed circle with lower values


@dataclass(frozen=True, eq=False)
class DynamicScan:
    """One contrast at several times.

    Args:
        seconds: since the first image; image numbers 0, 1, 2 ... where the header gives no times.
        images: all on one grid.
    """

    seconds: tuple[float, ...]
    images: tuple[Image, ...]


@dataclass(frozen=True, eq=False)
class ScanVisit:
    """The scans of one visit as acquired: nothing is registered or resampled but tilted CT.

    Args:
        time: of the visit.
        images: by modality, or ``segmentation`` and region names of masks made elsewhere. ADC in 1e-6 mm2/s, CT in HU,
            PET and PSMA in g/mL (SUVbw); other units are the scanner's own.
        dynamic: by modality (DCE), the images at several times.
        series: by modality, the key of the series in the index.
        notices: sentences the user should see.
    """

    time: datetime
    images: Mapping[str, Image]
    dynamic: Mapping[str, DynamicScan] = field(default_factory=dict)
    series: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def load_visits(
    index: ScanIndex,
    modalities: Sequence[str] | None = None,
    *,
    allow_missing: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[ScanVisit, ...]:
    """The visits of the index in order of time, with their images.

    Args:
        modalities: which; None for all that are mapped.
        allow_missing: a visit may lack some of them, which becomes a notice.
        on_progress: called with series read and series in all.
        cancelled: asked before each series.

    Raises:
        TumorTwinError: the first of ``index.faults(modalities)``, or a file cannot be read.
        CancelledError: ``cancelled`` said so.
    """
    faults = index.faults(None if allow_missing else modalities)
    if faults:
        raise TumorTwinError(faults[0])
    wanted = {
        time: [series for series in group if modalities is None or series.modality in modalities]
        for time, group in index.visits().items()
        if time is not None
    }
    total, done = sum(map(len, wanted.values())), 0
    visits = []
    for time, group in wanted.items():
        images, dynamic, notices = {}, {}, []
        for series in group:
            if cancelled is not None and cancelled():
                raise CancelledError("Reading the scans was stopped.")
            scans, doubts = _load(series, f"{series.patient} {visit_label(time)} {series.modality}")
            images[series.modality] = scans.images[0]
            if len(scans.images) > 1:
                dynamic[series.modality] = scans
            notices += doubts
            done += 1
            if on_progress is not None:
                on_progress(done, total)
        lacking = [modality for modality in modalities or () if modality not in images]
        notices += [f"The visit of {visit_label(time)} has no {modality}." for modality in lacking]
        if images:
            visits.append(
                ScanVisit(time, images, dynamic, {series.modality: series.key for series in group}, tuple(notices))
            )
    return tuple(visits)


def _load(series: ScanSeries, name: str) -> tuple[DynamicScan, list[str]]:
    if isinstance(series.source, Path):
        return _load_file(series.source, series, name)
    stacks = series.source
    if len(stacks) > 1 and series.modality != "DCE":
        raise TumorTwinError(
            f"{series.name} holds {len(stacks)} time points and cannot be {series.modality}: choose a single volume."
        )
    notices = []
    if tilt := stacks[0].tilt_deg:
        notices.append(f"{series.name} was taken with the gantry tilted by {tilt:.1f} degrees and was straightened.")
    first = stacks[0].planes[0].acquired
    seconds, images = [], []
    for number, stack in enumerate(stacks):
        acquired = stack.planes[0].acquired
        seconds.append(float(number) if first is None or acquired is None else (acquired - first).total_seconds())
        images.append(_load_stack(stack, series, name))
    return DynamicScan(tuple(seconds), tuple(images)), notices


def _load_stack(stack: Stack, series: ScanSeries, name: str) -> Image:
    if series.modality in ("PET", "PSMA"):
        import pydicom

        with quiet_pydicom():
            header = pydicom.dcmread(stack.planes[0].file, stop_before_pixels=True)
            factors = suv_factors(header, stack.planes, series.name)
        return read_stack(stack, name, SUV_UNIT, factors)
    if series.modality == "CT":
        if any(plane.intercept is None or plane.slope is None for plane in stack.planes):
            raise TumorTwinError(
                f"{series.name} has no RescaleSlope or RescaleIntercept, which Hounsfield units need: export it again."
            )
        image = read_stack(stack, name, HU)
        return Image(np.maximum(image.array, np.array(_AIR_HU, image.array.dtype)), image.grid, name, HU)
    image = read_stack(stack, name)
    return adc_in_standard_unit(image) if series.modality == "ADC" else image


def _load_file(path: Path, series: ScanSeries, name: str) -> tuple[DynamicScan, list[str]]:
    """A volume file, which is taken to be in physical units already; only ADC can tell its own."""
    shown = series.description
    try:
        volume = read_volume(path)
        doubts = [text.replace(str(path), shown) for text in geometry_notices([path])]
    except TumorTwinError as error:
        raise TumorTwinError(str(error).replace(str(path), shown)) from None  # the path may name the patient
    unit = {"CT": HU, "PET": SUV_UNIT, "PSMA": SUV_UNIT}.get(series.modality, "")
    image = Image(volume.array, volume.grid, name, unit)
    if series.modality == "ADC":
        image = adc_in_standard_unit(image)
        if not np.array_equal(image.array, volume.array):
            doubts.append(f"{shown} was converted to {ADC_UNIT}.")
    return DynamicScan((0.0,), (image,)), doubts
