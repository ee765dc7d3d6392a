"""PET counts to standardized uptake values by body weight (SUVbw, g/mL), from the DICOM header alone.

``SUV = activity concentration (Bq/mL) * body weight (g) / dose at the image's reference time (Bq)``

The dose decays from its injection to the time that the image is corrected to: the start of the scan (DecayCorrection
START), the injection itself (ADMIN), or, in an image that is not corrected (NONE), the moment within each frame at
which its mean activity was reached.
Source: QIBA FDG-PET/CT profile, "SUV calculation, vendor-neutral pseudo-code" (Kinahan et al.); Philips' private scale
factors (7053,xx00) and (7053,xx09) from its conformance statement. A value that is missing is never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.dicom_headers import Plane, parse_date_time, parse_moment

SUV_UNIT = "g/mL"
_PHILIPS = ("Philips PET Private Group", 0x7053)
_SMALLEST_DOSE_BQ = 1e5  # a tracer dose is 1e7 to 1e9 Bq; a smaller number is in MBq
_LONGEST_WAIT_HALF_LIVES = 10  # beyond, 0.1 % of the dose is left and the times do not belong together
_WEIGHT_KG = (1.0, 500.0)


def suv_factors(header: Any, planes: Sequence[Plane], name: str) -> np.ndarray:
    """What each plane's rescaled values are multiplied with to become SUVbw.

    Args:
        header: pydicom dataset of one file of the series.
        planes: (nk,) of the stack.
        name: of the series, for messages.

    Returns:
        (nk,) factors, g/mL for each unit of the rescaled values.

    Raises:
        TumorTwinError: naming the tag that is missing or that contradicts another.
    """
    units = str(_required(header, "Units", name))
    if units == "GML":
        kind = str(header.get("SUVType") or "BW")
        if kind != "BW":
            raise TumorTwinError(f"{name} holds SUV of type {kind} (tag SUVType): export it as SUV by body weight.")
        return np.ones(len(planes))
    to_bqml = 1.0
    if units == "CNTS":
        suv_scale, activity_scale = _philips_factors(header)
        if suv_scale:
            return np.full(len(planes), suv_scale)
        if not activity_scale:
            raise TumorTwinError(
                f"{name} is in counts (tag Units is CNTS) without Philips' scale factors (7053,1000) and (7053,1009): "
                "export it in BQML."
            )
        to_bqml = activity_scale
    elif units != "BQML":
        raise TumorTwinError(f"{name} is in {units} (tag Units): export it in BQML.")
    correction = str(_required(header, "DecayCorrection", name))
    _check_corrections(header, correction, name)
    dose_bq, half_life_s = _dose(header, name)
    weight_g = 1e3 * _weight_kg(header, name)
    if correction == "ADMIN":
        return np.full(len(planes), to_bqml * weight_g / dose_bq)
    if correction == "START":
        times = [_scan_start(header, planes, half_life_s, name)] * len(planes)
    elif correction == "NONE":
        times = [_mean_activity_time(plane, half_life_s, name) for plane in planes]
    else:
        raise TumorTwinError(f"{name} has the DecayCorrection {correction}: export it with START, ADMIN or NONE.")
    injected = _injection_time(header, min(times), name)
    waits_s = np.array([(time - injected).total_seconds() for time in times])
    if waits_s.min() < 0 or waits_s.max() > _LONGEST_WAIT_HALF_LIVES * half_life_s:
        raise TumorTwinError(
            f"{name} was scanned {waits_s[0] / 3600:.3g} h after the injection of its header (tags "
            "RadiopharmaceuticalStartDateTime, RadiopharmaceuticalStartTime): correct the times."
        )
    return to_bqml * weight_g / (dose_bq * np.exp2(-waits_s / half_life_s))


def _required(header: Any, keyword: str, name: str) -> Any:
    value = header.get(keyword)
    if value in (None, "") or (isinstance(value, Sequence) and not len(value)):
        raise TumorTwinError(f"{name} has no {keyword}, which SUV needs: export it with this DICOM tag.")
    return value


def _positive(header: Any, keyword: str, name: str) -> float:
    value = float(_required(header, keyword, name))
    if not (math.isfinite(value) and value > 0):
        raise TumorTwinError(f"{name} has the {keyword} {value:g}, from which SUV cannot be: correct this DICOM tag.")
    return value


def _check_corrections(header: Any, correction: str, name: str) -> None:
    done = [str(value) for value in np.atleast_1d(_required(header, "CorrectedImage", name))]
    if "ATTN" not in done:
        raise TumorTwinError(
            f"{name} is not corrected for attenuation (tag CorrectedImage lacks ATTN): choose the corrected series."
        )
    if correction != "NONE" and "DECY" not in done:
        raise TumorTwinError(
            f"{name} contradicts itself on decay: DecayCorrection is {correction} but CorrectedImage lacks DECY; "
            "export it again from the scanner."
        )


def _dose(header: Any, name: str) -> tuple[float, float]:
    """Injected activity in Bq and half-life in seconds."""
    tracer = _required(header, "RadiopharmaceuticalInformationSequence", name)[0]
    dose = _positive(tracer, "RadionuclideTotalDose", name)
    if dose < _SMALLEST_DOSE_BQ:
        raise TumorTwinError(
            f"{name} has the RadionuclideTotalDose {dose:g} Bq, which looks like MBq: correct this DICOM tag."
        )
    return dose, _positive(tracer, "RadionuclideHalfLife", name)


def _weight_kg(header: Any, name: str) -> float:
    weight = _positive(header, "PatientWeight", name)
    if not _WEIGHT_KG[0] <= weight <= _WEIGHT_KG[1]:
        raise TumorTwinError(f"{name} has the PatientWeight {weight:g} kg: correct this DICOM tag.")
    return weight


def _philips_factors(header: Any) -> tuple[float, float]:
    """SUV and activity scale factors of Philips, 0 where absent."""
    creator, group = _PHILIPS
    try:
        block = header.private_block(group, creator)
    except KeyError:
        return 0.0, 0.0

    def factor(element: int) -> float:
        value = block[element].value if element in block else 0
        return float(value.decode("ascii").strip(" \0") or 0) if isinstance(value, bytes) else float(value or 0)

    return factor(0x00), factor(0x09)


def _scan_start(header: Any, planes: Sequence[Plane], half_life_s: float, name: str) -> datetime:
    """The moment that an image corrected to the start of its scan is corrected to.

    It is the series' time, unless post-processing has written a later one, which would lie after the acquisition; then
    the start is found from the frame times.
    """
    series = parse_moment(_required(header, "SeriesDate", name), _required(header, "SeriesTime", name))
    acquired = [plane.acquired for plane in planes if plane.acquired is not None]
    if not acquired:
        raise TumorTwinError(f"{name} has no AcquisitionTime, which SUV needs: export it with this DICOM tag.")
    if series is not None and series <= min(acquired):
        return series
    first = min(planes, key=lambda plane: plane.acquired or datetime.max)
    reference_ms = first.frame_ms[0]
    if reference_ms is None:
        return min(acquired)
    return _mean_activity_time(first, half_life_s, name) - timedelta(milliseconds=reference_ms)


def _mean_activity_time(plane: Plane, half_life_s: float, name: str) -> datetime:
    """When the activity equalled its mean over the plane's frame, a little before the middle."""
    duration_ms = plane.frame_ms[1]
    if plane.acquired is None or duration_ms is None:
        tag = "AcquisitionTime" if plane.acquired is None else "ActualFrameDuration"
        raise TumorTwinError(f"{name} has no {tag}, which SUV needs: export it with this DICOM tag.")
    decay = math.log(2) / half_life_s
    during = decay * duration_ms / 1e3
    seconds = math.log(during / -math.expm1(-during)) / decay if during > 0 else 0.0
    return plane.acquired + timedelta(seconds=seconds)


def _injection_time(header: Any, scanned: datetime, name: str) -> datetime:
    """RadiopharmaceuticalStartDateTime, else RadiopharmaceuticalStartTime on the day of the scan or the day before."""
    tracer = header.RadiopharmaceuticalInformationSequence[0]
    text = str(tracer.get("RadiopharmaceuticalStartDateTime") or "")
    if (moment := parse_date_time(text)) and len(text) >= 12:  # a date alone says nothing of the hour
        return moment + _zone_shift(text, str(header.get("TimezoneOffsetFromUTC") or ""))
    moment = parse_moment(scanned.strftime("%Y%m%d"), _required(tracer, "RadiopharmaceuticalStartTime", name))
    assert moment is not None
    return moment if moment <= scanned else moment - timedelta(days=1)  # injected before midnight


def _zone_shift(moment: str, header_zone: str) -> timedelta:
    """From the zone that a DT names to the zone of the header's other times, where both are known."""
    zones = [re.search(r"([+-])(\d{2})(\d{2})$", text) for text in (moment, header_zone)]
    if None in zones:
        return timedelta(0)
    own, local = (
        (1 if zone[1] == "+" else -1) * timedelta(hours=int(zone[2]), minutes=int(zone[3])) for zone in zones if zone
    )
    return local - own
