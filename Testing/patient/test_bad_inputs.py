"""Every input that cannot be used is refused with one sentence that names the file, and nothing on disk changes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import SimpleITK as sitk

import TumorTwinLib as tt
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import read_volume, write_volume

FIRST, SECOND = "2024-03-05", "2024-04-11T1400_follow-up"


class Bad(NamedTuple):
    """``spoil`` damages a valid patient; the message then names ``file`` and says ``fault``."""

    spoil: Callable[[Path], None]
    file: str
    fault: str


def changed(path: str, change: Callable[[Image], Image]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        write_volume(change(read_volume(folder / path)), folder / path)

    return spoil


def values(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Image], Image]:
    return lambda image: Image(function(image.array), image.grid)


def moved(millimetres: float) -> Callable[[Image], Image]:
    def move(image: Image) -> Image:
        affine = image.grid.ijk_to_ras.copy()
        affine[0, 3] += millimetres
        return Image(image.array, Grid(image.grid.shape, affine))

    return move


def with_bad_voxels(bad: float) -> Callable[[np.ndarray], np.ndarray]:
    def spoil(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float32)
        array[3, 4, 5:8] = bad
        return array

    return spoil


def content(path: str, text: str | bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / path).write_bytes(text if isinstance(text, bytes) else text.encode()) and None


def removed(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def replaced(path: str, write: Callable[[Image, Path], None]) -> Callable[[Path], None]:
    """The ``.nii.gz`` file is taken away and ``write`` puts another beside it."""

    def spoil(folder: Path) -> None:
        image = read_volume(folder / path)
        (folder / path).unlink()
        write(image, folder / path.removesuffix(".nii.gz"))

    return spoil


def nifti_with_pixdim(spacing: float) -> Callable[[Image, Path], None]:
    def write(image: Image, stem: Path) -> None:
        write_volume(image, stem.with_suffix(".nii"))
        header = bytearray(stem.with_suffix(".nii").read_bytes())
        struct.pack_into("<f", header, 80, spacing)
        stem.with_suffix(".nii").write_bytes(header)

    return write


def metaimage_with_spacing(spacing: str) -> Callable[[Image, Path], None]:
    def write(image: Image, stem: Path) -> None:
        write_volume(image, stem.with_suffix(".mha"))
        header = stem.with_suffix(".mha").read_bytes()
        spoilt = re.sub(rb"ElementSpacing = .*", f"ElementSpacing = {spacing}".encode(), header, count=1)
        assert spoilt != header
        stem.with_suffix(".mha").write_bytes(spoilt)

    return write


def four_dimensional(image: Image, stem: Path) -> None:
    frame = sitk.GetImageFromArray(np.ascontiguousarray(image.array.T))
    sitk.WriteImage(sitk.JoinSeries([frame, frame, frame]), f"{stem}.nii.gz")


def coloured(image: Image, stem: Path) -> None:
    channel = sitk.GetImageFromArray(np.ascontiguousarray(image.array.T))
    sitk.WriteImage(sitk.Compose([channel, channel, channel]), f"{stem}.nrrd")


def cut_short(folder: Path) -> None:
    path = folder / FIRST / "T1.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def masks_on_two_grids(folder: Path) -> None:
    labels = read_volume(folder / FIRST / "seg.nii.gz")
    (folder / FIRST / "seg.nii.gz").unlink()
    write_volume(Image(labels.array == 4, labels.grid), folder / FIRST / "enhancing.nii.gz")
    lower, upper = (0, 0, 0), (18, 24, 16)
    cropped = Image((labels.array == 2)[:18], labels.grid.crop(lower, upper))
    write_volume(cropped, folder / FIRST / "edema.nii.gz")


def copied(source: str, target: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        copy = shutil.copytree if (folder / source).is_dir() else shutil.copy
        copy(folder / source, folder / target)

    return spoil


def treatment(row: str) -> Callable[[Path], None]:
    return content("treatment.csv", f"date,kind,name,amount,unit\n{row}\n")


def both(*spoils: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: [spoil(folder) for spoil in spoils] and None


FOLDER = {
    "no brain mask": Bad(removed("brain_mask.nii.gz"), "brain_mask.nii.gz", "has no"),
    "no visits": Bad(lambda folder: [shutil.rmtree(folder / name) for name in (FIRST, SECOND)], "GBM_001", "no visits"),
    "visit without images": Bad(lambda folder: (folder / "2024-05-01").mkdir(), "2024-05-01", "no image"),
    "visit folder of visits.csv missing": Bad(
        content("visits.csv", "date,folder\n2024-03-05,week 0\n"), "visits.csv line 2", "'week 0', which does not exist"
    ),
    "visits.csv without visits": Bad(content("visits.csv", "date,folder\n"), "visits.csv", "lists no visits"),
    "folder without a date": Bad(copied(FIRST, "baseline"), "baseline", "no date"),
    "folder with half a time": Bad(copied(FIRST, "2024-03-06T14"), "2024-03-06T14", "no date"),
    "folder with an impossible date": Bad(copied(FIRST, "2024-02-30"), "2024-02-30", "the date '2024-02-30'"),
    "empty segmentation": Bad(
        changed(f"{FIRST}/seg.nii.gz", values(np.zeros_like)), "seg.nii.gz", "empty segmentation"
    ),
    "unknown label": Bad(changed(f"{SECOND}/seg.nii.gz", values(lambda a: a * 2)), "seg.nii.gz", "label 8"),
    "empty brain mask": Bad(
        changed("brain_mask.nii.gz", values(np.zeros_like)), "brain_mask.nii.gz", "empty brain mask"
    ),
    "mask beside the brain": Bad(
        changed(f"{FIRST}/seg.nii.gz", moved(25.0)), "seg.nii.gz", r"\d+% of its tumor inside .*brain_mask"
    ),
    "mask beside an image": Bad(changed(f"{FIRST}/T1.nii.gz", moved(-25.0)), "T1.nii.gz", r"\d+% of its tumor inside"),
    "image elsewhere": Bad(changed(f"{FIRST}/T1.nii.gz", moved(500.0)), "T1.nii.gz", "does not overlap"),
    "masks of two shapes": Bad(masks_on_two_grids, "edema.nii.gz", r"18 x 24 x 16.*different grids"),
    "NIfTI spacing zero": Bad(replaced(f"{FIRST}/T1.nii.gz", nifti_with_pixdim(0.0)), "T1.nii", "spacing"),
    "NIfTI spacing NaN": Bad(replaced(f"{FIRST}/T1.nii.gz", nifti_with_pixdim(np.nan)), "T1.nii", "spacing"),
    "MetaImage spacing zero": Bad(replaced(f"{FIRST}/T1.nii.gz", metaimage_with_spacing("0 1 1")), "T1.mha", "spacing"),
    "MetaImage spacing NaN": Bad(
        replaced(f"{FIRST}/T1.nii.gz", metaimage_with_spacing("nan 1 1")), "T1.mha", "spacing"
    ),
    "NaN voxels": Bad(changed(f"{FIRST}/T1.nii.gz", values(with_bad_voxels(np.nan))), "T1.nii.gz", "holds 3 NaN"),
    "NaN voxels of an NRRD": Bad(
        replaced(
            f"{FIRST}/T1.nii.gz",
            lambda image, stem: write_volume(values(with_bad_voxels(np.nan))(image), stem.with_suffix(".nrrd")),
        ),
        "T1.nrrd",
        "holds 3 NaN",
    ),
    "infinite voxels": Bad(
        changed(f"{FIRST}/ADC.nii.gz", values(with_bad_voxels(np.inf))), "ADC.nii.gz", "holds 3 NaN"
    ),
    "NaN in the segmentation": Bad(
        changed(f"{FIRST}/seg.nii.gz", values(with_bad_voxels(np.nan))), "seg.nii.gz", "holds 3 NaN"
    ),
    "4-D volume": Bad(replaced(f"{FIRST}/T1.nii.gz", four_dimensional), "T1.nii.gz", "4-D"),
    "4-D segmentation": Bad(replaced(f"{FIRST}/seg.nii.gz", four_dimensional), "seg.nii.gz", "4-D"),
    "colours": Bad(replaced(f"{FIRST}/T1.nii.gz", coloured), "T1.nrrd", "3 components"),
    "cut short": Bad(cut_short, "T1.nii.gz", "breaks off"),
    "no bytes": Bad(content(f"{FIRST}/T1.nii.gz", b""), "T1.nii.gz", "empty file"),
    "text for an image": Bad(content(f"{FIRST}/T1.nii.gz", "not here yet"), "T1.nii.gz", "not a NIfTI"),
    "text for an NRRD": Bad(content("white_matter.nrrd", "not here yet"), "white_matter.nrrd", "cannot be read"),
    "two files for one modality": Bad(
        copied(f"{FIRST}/T1CE.nii.gz", f"{FIRST}/T1_post.nii.gz"),
        "T1_post.nii.gz",
        r"T1CE\.nii\.gz and .* are both T1CE",
    ),
    "one file for two modalities": Bad(
        copied(f"{FIRST}/T1.nii.gz", f"{FIRST}/T1_on_ADC.nii.gz"), "T1_on_ADC.nii.gz", "could be ADC or T1"
    ),
    "two segmentations": Bad(
        copied(f"{FIRST}/seg.nii.gz", f"{FIRST}/enhancing.nii.gz"),
        "seg.nii.gz",
        r"and .*enhancing\.nii\.gz both segment",
    ),
    "ADC in no unit": Bad(changed(f"{FIRST}/ADC.nii.gz", values(lambda a: a * 0.05)), "ADC.nii.gz", "no usual unit"),
    "ADC empty": Bad(changed(f"{FIRST}/ADC.nii.gz", values(np.zeros_like)), "ADC.nii.gz", "no positive ADC"),
    "tissue in percent": Bad(
        both(copied("brain_mask.nii.gz", "csf.nii.gz"), changed("csf.nii.gz", values(lambda a: a * 100))),
        "csf.nii.gz",
        "0 to 100",
    ),
    "equal dates": Bad(copied(FIRST, f"{FIRST}_repeat"), f"{FIRST}_repeat", "same time"),
    "visits out of order": Bad(
        content("visits.csv", f"date,folder\n2024-04-11,{SECOND}\n2024-03-05,{FIRST}\n"), FIRST, "is earlier"
    ),
    "treatment before the first visit": Bad(
        treatment("2024-03-04T23:59,radiotherapy,,2,Gy"), "treatment.csv", r"2024-03-04 23:59, before the first visit"
    ),
    "unknown drug": Bad(treatment("2024-03-09,drug,aspirin,75,mg"), "treatment.csv line 2", "'aspirin'"),
    "unknown unit": Bad(treatment("2024-03-09,drug,TMZ,75,g"), "treatment.csv line 2", "'g'"),
    "unknown kind": Bad(treatment("2024-03-09,hope,,75,mg"), "treatment.csv line 2", "'hope'"),
    "drug in Gy": Bad(treatment("2024-03-09,drug,TMZ,75,Gy"), "treatment.csv line 2", "in Gy"),
    "radiotherapy in mg": Bad(treatment("2024-03-09,radiotherapy,,2,mg"), "treatment.csv line 2", "in mg"),
    "negative dose": Bad(treatment("2024-03-09,radiotherapy,,-2,Gy"), "treatment.csv line 2", "-2"),
    "NaN dose": Bad(treatment("2024-03-09,radiotherapy,,nan,Gy"), "treatment.csv line 2", "nan"),
    "unreadable date": Bad(treatment("9 March,radiotherapy,,2,Gy"), "treatment.csv line 2", "'9 March'"),
    "no header": Bad(content("treatment.csv", "2024-03-09,radiotherapy,,2,Gy\n"), "treatment.csv", "lacks the column"),
    "not text": Bad(content("treatment.csv", b"\xff\xfe\x00date"), "treatment.csv", "cannot be read"),
    "mg and mg/m2 without body surface area": Bad(
        both(
            removed("patient.json"),
            treatment("2024-03-09,drug,TMZ,140,mg\n2024-03-10,drug,TMZ,75,mg/m2"),
        ),
        "GBM_001",
        "temozolomide in both mg and mg/m2",
    ),
    "patient.json broken": Bad(content("patient.json", "{"), "patient.json", "no valid JSON"),
    "patient.json with a typing error": Bad(content("patient.json", '{"bsa": 2}'), "patient.json", "unknown"),
    "body surface area of nothing": Bad(
        content("patient.json", '{"body_surface_area_m2": 0}'), "patient.json", "positive number"
    ),
}


def edited(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Edits the JSON patient file; the path given is its folder."""

    def spoil(folder: Path) -> None:
        path = folder / "HGG_toy.json"
        layout = json.loads(path.read_text())
        change(layout)
        path.write_text(json.dumps(layout))

    return spoil


JSON = {
    "missing image": Bad(removed("ADC_v2.nii.gz"), "ADC_v2.nii.gz", r"does not exist although HGG_toy\.json names it"),
    "missing mask": Bad(removed("ROI_v1.nii.gz"), "ROI_v1.nii.gz", "does not exist"),
    "missing brain mask": Bad(removed("brainmask.nii.gz"), "brainmask.nii.gz", "does not exist"),
    "no brain mask": Bad(edited(lambda layout: layout.pop("brainmask")), "HGG_toy.json", "names no 'brainmask'"),
    "no visits": Bad(edited(lambda layout: layout.pop("visits")), "HGG_toy.json", "lists no visits"),
    "visits no list": Bad(edited(lambda layout: layout.update(visits={"time": 1})), "HGG_toy.json", "list of objects"),
    "image no path": Bad(edited(lambda layout: layout["visits"][0].update(adc=3)), "HGG_toy.json", "'adc'"),
    "visit without time": Bad(edited(lambda layout: layout["visits"][0].pop("time")), "HGG_toy.json visit 1", "date"),
    "visits out of order": Bad(edited(lambda layout: layout["visits"].reverse()), "HGG_toy.json visit 2", "is earlier"),
    "equal dates": Bad(
        edited(lambda layout: layout["visits"][1].update(time="2024-03-05")), "HGG_toy.json visit 2", "same time"
    ),
    "treatment before the first visit": Bad(
        edited(lambda layout: layout["chemotherapy"][0].update(time="2024-03-01")), "HGG_toy.json", "before the first"
    ),
    "unknown drug": Bad(
        edited(lambda layout: layout["chemotherapy"][0].update(type="tea")), "HGG_toy.json chemotherapy 1", "'tea'"
    ),
    "drug in Gy": Bad(
        edited(lambda layout: layout["chemotherapy"][0].update(units="Gy")), "HGG_toy.json chemotherapy 1", "in Gy"
    ),
    "radiotherapy in mg": Bad(
        edited(lambda layout: layout["radiotherapy"][0].update(units="mg")), "HGG_toy.json radiotherapy 1", "in mg"
    ),
    "no dose": Bad(edited(lambda layout: layout["radiotherapy"][0].pop("dose")), "HGG_toy.json radiotherapy 1", "None"),
    "empty segmentation": Bad(changed("ROI_v2.nii.gz", values(np.zeros_like)), "ROI_v2.nii.gz", "empty segmentation"),
    "broken": Bad(content("HGG_toy.json", '{\n"patient": }'), "HGG_toy.json", "no valid JSON at line 2"),
    "no object": Bad(content("HGG_toy.json", "[1]"), "HGG_toy.json", "no patient file"),
    "not text": Bad(content("HGG_toy.json", b"\xff\xfe\x00"), "HGG_toy.json", "cannot be read"),
}


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def assert_refused(folder: Path, case: Bad, **given: object) -> None:
    before = fingerprint(folder)
    with pytest.raises(TumorTwinError) as caught:
        tt.PatientData(**given)
    message = str(caught.value)
    assert case.file in message
    assert re.search(case.fault, message)
    assert re.fullmatch(r"[^\n]+: [^\n]+\.", message), "a fault, a colon and what to do"
    assert not re.search(r"\. [A-Z]", message), "one sentence"
    assert fingerprint(folder) == before


@pytest.mark.parametrize("name", FOLDER)
def test_bad_folder(patient_folder, name):
    FOLDER[name].spoil(patient_folder)
    assert_refused(patient_folder, FOLDER[name], imaging_dir=patient_folder)


@pytest.mark.parametrize("name", JSON)
def test_bad_json(patient_json, name):
    JSON[name].spoil(patient_json.parent)
    assert_refused(patient_json.parent, JSON[name], imaging_dir=patient_json)


def test_missing_paths(patient_folder, tmp_path):
    absent = tmp_path / "absent"
    for given in ({"imaging_dir": absent}, {"imaging_dir": absent.with_suffix(".json")}):
        assert_refused(tmp_path, Bad(None, "absent", "no patient"), **given)
    case = Bad(None, "absent.csv", "does not exist")
    assert_refused(tmp_path, case, imaging_dir=patient_folder, treatment_file=tmp_path / "absent.csv")


def test_parts_in_memory_are_checked_as_files_are(patient_folder):
    """Scene nodes arrive this way; messages then carry the node's name."""
    good = tt.PatientData(imaging_dir=patient_folder)
    first, second = good.visits
    nowhere = Image(np.zeros(good.brain_mask.grid.shape, bool), good.brain_mask.grid, "Segmentation_2")
    with pytest.raises(TumorTwinError, match="no visits"):
        tt.PatientData(brain_mask=good.brain_mask)
    with pytest.raises(TumorTwinError, match="no brain mask"):
        tt.PatientData(visits=good.visits)
    with pytest.raises(TumorTwinError, match="is earlier"):
        tt.PatientData(visits=[second, first], brain_mask=good.brain_mask)
    with pytest.raises(TumorTwinError, match="same time"):
        tt.PatientData(visits=[first, first], brain_mask=good.brain_mask)
    with pytest.raises(TumorTwinError, match=r"^Segmentation_2 is an empty segmentation"):
        tt.PatientData(visits=[tt.Visit(first.time, regions={"edema": nowhere})], brain_mask=good.brain_mask)
    with pytest.raises(TumorTwinError, match="has no images"):
        tt.PatientData(visits=[tt.Visit(first.time)], brain_mask=good.brain_mask)
    with pytest.raises(TumorTwinError, match="before the first visit"):
        tt.PatientData(visits=[second], brain_mask=good.brain_mask, treatments=good.treatments)
    with pytest.raises(TumorTwinError, match="body surface area of -1"):
        tt.PatientData(visits=[first], brain_mask=good.brain_mask, body_surface_area_m2=-1)
