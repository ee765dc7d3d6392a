"""Series are recognized by what was written, what the scanner did and what the tags name."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from Testing.imaging.dicom_phantom import AXIAL, item
from TumorTwinLib.imaging.dicom_headers import Plane
from TumorTwinLib.imaging.modalities import recognize_dicom, recognize_name

SPIN_ECHO_T1 = {"EchoTime": 9.0, "RepetitionTime": 550.0}
MPRAGE = {"EchoTime": 2.9, "RepetitionTime": 2300.0, "InversionTime": 900.0}
TSE = {"EchoTime": 95.0, "RepetitionTime": 4500.0}
FLAIR = {"EchoTime": 120.0, "RepetitionTime": 9000.0, "InversionTime": 2500.0}
AGENT = {"ContrastBolusAgent": "Gadovist 1.0"}


def plane(image_type=("ORIGINAL", "PRIMARY", "M", "ND"), b_value=None) -> Plane:
    return Plane(
        file=Path("x"), frame=0, instance="1", rows=4, columns=4, position_mm=(0, 0, 0), orientation=AXIAL,
        spacing_mm=(1, 1), slope=1, intercept=0, number=1, acquired=datetime(2024, 3, 5), frame_ms=(None, None),
        image_type=image_type, b_value=b_value, echo_ms=None, inversion_ms=None, temporal=None, acquisition=None,
        trigger_ms=None,
    )  # fmt: skip


def mr(description="", time_points=1, image_type=("ORIGINAL", "PRIMARY", "M", "ND"), b_value=None, **facts):
    facts = {"Modality": "MR", "SeriesDescription": description, **facts}
    return recognize_dicom(facts, plane(image_type, b_value), time_points)


@pytest.mark.parametrize(
    ("description", "facts", "modality", "confidence"),
    [
        ("AX T1", SPIN_ECHO_T1, "T1", "high"),
        ("t1_mprage_sag_p2_iso", MPRAGE, "T1", "high"),
        ("t1_mprage_sag_p2_iso", MPRAGE | AGENT, "T1CE", "high"),
        ("AX T1 POST GAD", SPIN_ECHO_T1, "T1CE", "high"),
        ("T1_SE_TRA_KM", SPIN_ECHO_T1 | AGENT, "T1CE", "high"),
        ("Ax T1 FSE +C", SPIN_ECHO_T1, "T1CE", "high"),
        ("T1 C+", SPIN_ECHO_T1, "T1CE", "high"),
        ("3D BRAVO Gd", {}, "T1CE", "medium"),
        ("SAG T1 PRE", SPIN_ECHO_T1, "T1", "high"),
        ("AX T1 PRE", SPIN_ECHO_T1 | AGENT, "T1", "low"),  # the agent stayed in the header
        ("T1 w/o contrast", SPIN_ECHO_T1, "T1", "high"),
        ("T1 non-contrast", SPIN_ECHO_T1, "T1", "high"),
        ("AX T1 post-op", SPIN_ECHO_T1, "T1", "high"),
        ("STEALTH PREOP T1 GD", SPIN_ECHO_T1, "T1CE", "high"),
        ("AX T1", SPIN_ECHO_T1 | {"ContrastBolusAgent": "NONE"}, "T1", "high"),
        ("AX T2", TSE, "T2", "high"),
        ("t2_tse_tra_512", TSE, "T2", "high"),
        ("AX T2 FLAIR", FLAIR, "FLAIR", "high"),
        ("t2_tirm_tra_dark-fluid", FLAIR, "FLAIR", "high"),
        ("SAG FLAIR POST", FLAIR | AGENT, "FLAIR", "high"),
        ("AX T1 FLAIR", {"EchoTime": 24.0, "RepetitionTime": 2000.0, "InversionTime": 860.0}, "T1", "high"),
        ("AX T1 posterior fossa", SPIN_ECHO_T1, "T1", "high"),
        ("SAG T1 C-spine", SPIN_ECHO_T1, "T1", "high"),
        ("T1 MPRAGE PREP GD", MPRAGE, "T1CE", "high"),
        ("T1 precontrast", SPIN_ECHO_T1, "T1", "high"),
        ("AX T1", TSE, "T1", "low"),  # the scanner did something else
        ("", SPIN_ECHO_T1, "T1", "medium"),
        ("", TSE, "T2", "medium"),
        ("", FLAIR | AGENT, "FLAIR", "medium"),
        ("Series 4", MPRAGE | AGENT, "T1CE", "medium"),
        ("AX T2", {}, "T2", "medium"),
        ("AX T2* GRE", {"EchoTime": 20.0, "RepetitionTime": 700.0}, "SWI", "high"),
        ("3 plane loc", {}, "localizer", "high"),
        ("ADC", {}, "ADC", "high"),
        ("eADC", {}, "diffusion map", "high"),
        ("MRA TOF", {}, "angiography", "high"),
        ("AX DWI b1000", {}, "DWI", "high"),
        ("ep2d_perf", {}, "perfusion", "high"),
        ("AX PD", {}, "PD", "high"),
        ("T1 SUB", SPIN_ECHO_T1, "subtraction", "high"),
        ("unknown", {}, "", "low"),
        ("ep2d", {"EchoTime": 30.0, "RepetitionTime": 1200.0, "ScanningSequence": "EP"}, "", "low"),
    ],
)
def test_magnetic_resonance(description, facts, modality, confidence):
    found = mr(description, **facts)
    assert (found.modality, found.confidence) == (modality, confidence)


def test_the_protocol_speaks_where_the_description_is_silent():
    found = mr("Reg 3", ProtocolName="t2_flair_tra", **FLAIR)
    assert found.modality == "FLAIR"
    assert found.evidence == ("ProtocolName 't2_flair_tra'", "TE 120 ms, TR 9000 ms, TI 2500 ms")


@pytest.mark.parametrize(
    ("image_type", "modality"),
    [
        (("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "ADC"),
        (("ORIGINAL", "PRIMARY", "DIFFUSION", "TRACEW"), "DWI"),
        (("ORIGINAL", "PRIMARY", "LOCALIZER"), "localizer"),
        (("DERIVED", "SECONDARY", "PROJECTION IMAGE"), "projection"),
        (("DERIVED", "PRIMARY", "M", "SUBTRACT"), "subtraction"),
    ],
)
def test_the_image_type_outranks_an_empty_description(image_type, modality):
    assert mr("", image_type=image_type).modality == modality


def test_a_b_value_tells_diffusion_but_not_its_map():
    assert mr("AX T2", b_value=1000.0, **TSE).modality == "DWI"
    assert mr("ADC (10^-6 mm2/s)", b_value=1000.0).modality == "ADC"


@pytest.mark.parametrize(
    ("description", "facts", "modality"),
    [
        ("DCE breast", {}, "DCE"),
        ("t1_vibe_fs", {"EchoTime": 1.5, "RepetitionTime": 4.0}, "DCE"),
        ("ep2d_perf DSC", {}, "perfusion"),
        ("ep2d_bold", {}, "fMRI"),
        ("AX T2", TSE, "perfusion"),
    ],
)
def test_several_time_points(description, facts, modality):
    assert mr(description, time_points=20, **facts).modality == modality


def pet(description="PET", drug="", code="", corrected=("DECY", "ATTN"), time_points=1):
    tracer = item(Radiopharmaceutical=drug)
    if code:
        tracer.RadiopharmaceuticalCodeSequence = [item(CodeMeaning=code)]
    facts = {
        "Modality": "PT",
        "SeriesDescription": description,
        "CorrectedImage": corrected,
        "RadiopharmaceuticalInformationSequence": [tracer],
    }
    return recognize_dicom(facts, plane(), time_points)


def test_positron_emission():
    assert pet(drug="FDG").modality == "PET"
    assert "tracer 'FDG'" in pet(drug="FDG").evidence
    assert pet("PSMA WB").modality == "PSMA"
    assert pet(drug="Ga68-PSMA-11").modality == "PSMA"
    assert pet(code="Piflufolastat F^18^").modality == "PSMA"
    assert pet("WB NAC").modality == "uncorrected PET"
    assert pet(corrected=("DECY",)).modality == "uncorrected PET"
    assert pet(time_points=12).modality == "dynamic PET"


def test_computed_tomography_and_other_machines():
    assert recognize_dicom({"Modality": "CT"}, plane()).modality == "CT"
    assert recognize_dicom({"Modality": "CT"}, plane(("ORIGINAL", "PRIMARY", "LOCALIZER"))).modality == "localizer"
    assert recognize_dicom({"Modality": "US"}, plane()).modality == "other"
    assert recognize_dicom({}, plane()).modality == "other"


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("T1", "T1"),
        ("UPENN-GBM-00001_11_T1GD", "T1CE"),
        ("BraTS-GLI-00001-000-t1n", "T1"),
        ("BraTS-GLI-00001-000-t1c", "T1CE"),
        ("BraTS-GLI-00001-000-t2w", "T2"),
        ("BraTS-GLI-00001-000-t2f", "FLAIR"),
        ("BraTS2021_00000_t1ce", "T1CE"),
        ("BraTS2021_00000_flair", "FLAIR"),
        ("BraTS2021_00000_seg", "segmentation"),
        ("T1CE_tumor_segmentation", "segmentation"),
        ("edema", "edema"),
        ("sub-01_ses-2_ce-gadolinium_T1w", "T1CE"),
        ("sub-01_ses-2_T1w", "T1"),
        ("sub-01_T2starw", "SWI"),
        ("dwi_b1000", "DWI"),
        ("ADC", "ADC"),
        ("dce_phase", "DCE"),
        ("PET_SUV", "PET"),
        ("psma_pet", "PSMA"),
        ("CT", "CT"),
        ("mprage_post", "T1CE"),
        ("raw_bet_TCGA-DU-7294_fla_bet", "FLAIR"),
        ("scan7", ""),
        ("T1_T2", ""),
    ],
)
def test_file_names(name, modality):
    assert recognize_name(name).modality == modality
