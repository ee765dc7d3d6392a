"""What the header of a DICOM file says: its planes with their geometry, and the facts that tell what the series is.

Only the tags below are read, and never the pixels, so that thousands of files take seconds. A file holds one plane
(classic objects) or many (enhanced multi-frame objects); both become the same ``Plane``.
Tags and functional groups: DICOM PS3.3, https://dicom.nema.org/medical/dicom/current/output/html/part03.html
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError

_DICOMDIR = "1.2.840.10008.1.3.10"
IDENTIFYING_TAGS = ("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber", "StudyID")
_FACT_TAGS = (
    *("Modality", "SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName", "ScanningSequence"),
    *("SequenceVariant", "MRAcquisitionType", "ImageType", "ContrastBolusAgent", "EchoTime", "RepetitionTime"),
    *("InversionTime", "CorrectedImage", "RadiopharmaceuticalInformationSequence", "SeriesNumber", "RescaleType"),
)
_PLANE_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "BitsAllocated", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("RescaleSlope", "RescaleIntercept", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier"),
    *("DiffusionBValue", "TriggerTime", "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate"),
    *("AcquisitionTime", "AcquisitionDateTime", "ContentDate", "ContentTime", "FrameReferenceTime"),
    *("ActualFrameDuration", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
# b-value of Siemens, GE, Philips and United Imaging, from before the standard had a tag for it
_PRIVATE_B_VALUES = (0x0019100C, 0x00431039, 0x20011003, 0x00651009)
_NAMED_B_VALUE = re.compile(r"\*?ep_b(\d+)")  # Siemens' SequenceName


@dataclass(frozen=True, slots=True)
class Plane:
    """One two-dimensional image of a series.

    Args:
        file, frame: where its pixels are; the frame counts from 0.
        instance: its unique identifier, to find copies; never shown.
        rows, columns: of pixels.
        position_mm: (3,) LPS millimetres of the first pixel's centre.
        orientation: (6,) LPS directions along a row, then along a column.
        spacing_mm: between rows, then between columns.
        slope, intercept: stored to physical values; None where the header gives none.
        number: InstanceNumber, or the frame's place.
        acquired: when, or None.
        frame_ms: FrameReferenceTime and ActualFrameDuration of PET, None where absent.
        image_type, b_value, echo_ms, inversion_ms, temporal, acquisition, trigger_ms: what tells volumes of one series
            apart; None where the header does not say.
    """

    file: Path
    frame: int
    instance: str
    rows: int
    columns: int
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    slope: float | None
    intercept: float | None
    number: int
    acquired: datetime | None
    frame_ms: tuple[float | None, float | None]
    image_type: tuple[str, ...]
    b_value: float | None
    echo_ms: float | None
    inversion_ms: float | None
    temporal: int | None
    acquisition: int | None
    trigger_ms: float | None


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file.

    Args:
        study, series: identifiers for grouping; never shown.
        studied: date and time of the study, or None.
        planes: empty for objects that are no images in space (reports, screenshots, plans).
        facts: values of the tags that tell what the series is, by keyword.
        identifiers: values that identify the patient, by keyword.
    """

    study: str
    series: str
    studied: datetime | None
    planes: tuple[Plane, ...]
    facts: Mapping[str, Any]
    identifiers: Mapping[str, str]


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """No warnings of pydicom: they show values of offending tags and paths, which may tell who the patient is."""
    import pydicom

    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_dicom(path: Path) -> bool:
    """True when the file begins like DICOM, or is named so although it does not."""
    if path.suffix.lower() in (".dcm", ".ima"):
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_instance(path: Path) -> Instance | None:
    """The header of one file, or None for a DICOMDIR.

    Raises:
        TumorTwinError: the file is damaged, or ends before its last pixel.
    """
    import pydicom

    tags: list[str | int] = [*_PLANE_TAGS, *_FACT_TAGS, *IDENTIFYING_TAGS, *_PRIVATE_B_VALUES]
    try:
        with path.open("rb") as file, quiet_pydicom():
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)  # type: ignore[arg-type]
            if header.file_meta.get("MediaStorageSOPClassUID") == _DICOMDIR:
                return None
            return _instance(header, path, pixel_bytes=path.stat().st_size - file.tell())
    except TumorTwinError:
        raise
    except Exception as error:  # pydicom raises whatever its parser trips over
        raise TumorTwinError(f"{path} cannot be read as DICOM: copy or export it again.") from error


def _instance(header: Any, path: Path, pixel_bytes: int) -> Instance:
    if "SOPClassUID" not in header:
        raise ValueError("every DICOM object has a class")  # of a stub, pydicom reads an empty header
    planes = _planes(header, path)
    facts = {name: value for name in _FACT_TAGS if (value := header.get(name)) not in (None, "")}
    if planes:
        first, syntax = planes[0], header.file_meta.TransferSyntaxUID
        frame_bytes = first.rows * first.columns * int(header.get("BitsAllocated", 16)) // 8
        frames = int(header.get("NumberOfFrames") or 1)
        if not (syntax.is_compressed or syntax.is_deflated) and pixel_bytes < frame_bytes * frames:
            raise TumorTwinError(f"{path} breaks off before its last pixel: copy or export it again.")
        # enhanced objects keep these in functional groups
        facts |= {"ImageType": first.image_type, "EchoTime": first.echo_ms, "InversionTime": first.inversion_ms}
        facts.setdefault("RepetitionTime", _repetition_ms(header))
    return Instance(
        study=str(header.get("StudyInstanceUID", "")),
        series=str(header.get("SeriesInstanceUID", "")),
        studied=_moment(header, "StudyDate", "StudyTime")
        or _moment(header, "SeriesDate", "SeriesTime")
        or _moment(header, "AcquisitionDate", "AcquisitionTime"),
        planes=planes,
        facts=facts,
        identifiers={name: str(value) for name in IDENTIFYING_TAGS if (value := header.get(name))},
    )


def parse_moment(date: object, time: object) -> datetime | None:
    """DICOM's DA and TM as a local time; midnight when the time is absent; None when the date is absent or no date."""
    match = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})", str(date or ""))
    if match is None:
        return None
    try:
        day = datetime(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    clock = re.match(r"(\d{2}):?(\d{2})?:?(\d{2}(?:\.\d+)?)?", str(time or ""))
    hour, minute, second = (float(part or 0) for part in clock.groups()) if clock else (0.0, 0.0, 0.0)
    return day + timedelta(hours=hour, minutes=minute, seconds=second)


def _moment(header: Any, date: str, time: str) -> datetime | None:
    return parse_moment(header.get(date), header.get(time))


def parse_date_time(value: object) -> datetime | None:
    """DICOM's DT without its time zone, or None."""
    text = str(value or "")
    return parse_moment(text[:8], re.split("[+-]", text[8:])[0])


def _planes(header: Any, path: Path) -> tuple[Plane, ...]:
    if "Rows" not in header or "Columns" not in header or int(header.get("SamplesPerPixel", 1)) != 1:
        return ()
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), None)
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if frames is None:
        plane = _plane(header, path, 0, header, None)
        return () if plane is None else (plane,)
    planes = [_plane(header, path, number, frame, shared) for number, frame in enumerate(frames)]
    return tuple(plane for plane in planes if plane is not None)


def _plane(header: Any, path: Path, number: int, frame: Any, shared: Any) -> Plane | None:
    """A plane of a classic object (``shared`` is None) or a frame of an enhanced one; None without a place in space."""

    def find(sequence: str, keyword: str) -> Any:
        if shared is None:
            return header.get(keyword)
        for groups in (frame, shared):
            items = groups.get(sequence)
            if items and items[0].get(keyword) is not None:
                return items[0].get(keyword)
        return header.get(keyword)

    position = find("PlanePositionSequence", "ImagePositionPatient")
    orientation = find("PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = find("PixelMeasuresSequence", "PixelSpacing")
    if not (position and orientation and spacing) or len(position) != 3 or len(orientation) != 6:
        return None
    frame_type = header.get("ImageType")
    if shared is not None:
        kinds = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")
        frame_type = next((found for kind in kinds if (found := find(kind, "FrameType"))), frame_type)
    acquired = (
        parse_date_time(find("FrameContentSequence", "FrameAcquisitionDateTime"))
        or parse_date_time(header.get("AcquisitionDateTime"))
        or _moment(header, "AcquisitionDate", "AcquisitionTime")
        or parse_moment(header.get("SeriesDate") or header.get("StudyDate"), header.get("AcquisitionTime"))
    )
    inversion = find("MRModifierSequence", "InversionTimes") if shared is not None else header.get("InversionTime")
    return Plane(
        file=path,
        frame=number,
        instance=str(header.get("SOPInstanceUID", path)),
        rows=int(header.Rows),
        columns=int(header.Columns),
        position_mm=tuple(float(x) for x in position),
        orientation=tuple(float(x) for x in orientation),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        slope=_number(find("PixelValueTransformationSequence", "RescaleSlope")),
        intercept=_number(find("PixelValueTransformationSequence", "RescaleIntercept")),
        number=number if shared is not None else int(header.get("InstanceNumber") or 0),
        acquired=acquired,
        frame_ms=(_number(header.get("FrameReferenceTime")), _number(header.get("ActualFrameDuration"))),
        image_type=_texts(frame_type),
        b_value=_b_value(header, find("MRDiffusionSequence", "DiffusionBValue")),
        echo_ms=_number(find("MREchoSequence", "EffectiveEchoTime")) or _number(header.get("EchoTime")),
        inversion_ms=_number(inversion),
        temporal=_integer(
            find("FrameContentSequence", "TemporalPositionIndex") or header.get("TemporalPositionIdentifier")
        ),
        acquisition=_integer(header.get("AcquisitionNumber")),
        trigger_ms=_number(header.get("TriggerTime")),
    )


def _repetition_ms(header: Any) -> float | None:
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), None)
    timing = shared.get("MRTimingAndRelatedParametersSequence") if shared is not None else None
    return _number(timing[0].get("RepetitionTime")) if timing else None


def _b_value(header: Any, standard: object) -> float | None:
    if standard is not None:
        return _number(standard)
    for tag in _PRIVATE_B_VALUES:
        if tag in header and (value := _number(header[tag].value)) is not None:
            return value % 1e6  # GE adds 1e9 to its b-value
    match = _NAMED_B_VALUE.match(str(header.get("SequenceName") or ""))
    return float(match[1]) if match else None


def _number(value: Any) -> float | None:
    """The first number in a value, which is bytes where the private tag's type is not known."""
    if isinstance(value, bytes):
        if len(value) in (4, 8) and not re.fullmatch(rb"[\d.\s\\]+", value):
            return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
        value = value.decode("ascii", "ignore").strip("\0 ").split("\\")[0]
    elif value is not None and not isinstance(value, (str, int, float)):
        value = next(iter(value), None) if hasattr(value, "__iter__") else value
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _texts(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(str(part) for part in value)


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
