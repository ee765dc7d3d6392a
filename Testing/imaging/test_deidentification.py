"""Who the patient is stays in the DICOM files: everything that is produced is searched for it."""

from __future__ import annotations

import re

import pydicom
import pytest

from Testing.imaging.dicom_phantom import PATIENT, SECRETS, pet_tags, ramp, write_series
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.deidentify import pseudonym, scrub, secrets_of
from TumorTwinLib.imaging.load_visits import load_visits
from TumorTwinLib.imaging.scan_folder import scan_folder
from TumorTwinLib.volume_files import write_volume

ARRAY = ramp((6, 5, 4))
UID = re.compile(r"\d+(\.\d+){4,}")


@pytest.fixture
def export(tmp_path):
    """An export whose folders, file names and descriptions all carry the patient."""
    folder = tmp_path / "export" / "Zebrowski_Wilhelmina HOSP-4711-X"
    study = "1.2.840.113619.2.5.1762583153"
    t1 = {"EchoTime": 9.0, "RepetitionTime": 550.0, "study": study}
    write_series(folder / study, ARRAY, "AX T1 Zebrowski ACC99887766", **t1)
    write_series(folder / "pet", ARRAY, "PET Wilhelmina", **pet_tags(study=study, PatientWeight=None))
    write_series(folder / "t2", ARRAY, "T2 MRN-55512 19510203", skip=(2,), EchoTime=90.0, RepetitionTime=4000.0)
    (folder / study / "1.2.840.113619.2.5.1762583153.999.dcm").write_bytes(b"\0" * 128 + b"DICM broken")
    return tmp_path / "export"


def everything(folder, out, **options) -> str:
    """All text that reading a folder produces: table, notices, faults, errors, names, and names of files."""
    out.mkdir(exist_ok=True)
    index = scan_folder(folder, **options)
    index.write_mapping(out / "mapping.csv")
    index.write_mapping(out / "mapping.json")
    texts = [*index.notices, *index.faults(["T1", "T2", "PET", "FLAIR"]), index.patient_id]
    for modality in ("T2", "PET"):
        with pytest.raises(TumorTwinError) as raised:
            load_visits(index, [modality])
        texts.append(str(raised.value))
    for visit in load_visits(index, ["T1"]):
        texts += [*visit.notices, *visit.series.values()]
        for image in visit.images.values():
            texts.append(image.name)
            write_volume(image, out / f"{image.name}.nrrd")
    texts += [series.name + series.patient + "".join(series.row().values()) for series in index.series]
    texts += [path.name for path in out.iterdir()]
    texts += [path.read_bytes().decode("latin-1") for path in out.iterdir()]
    return "\n".join(texts)


def test_nothing_that_is_produced_tells_who_the_patient_is(export, tmp_path):
    produced = everything(export, tmp_path / "out")
    assert "AX T1 [removed] [removed]" in produced
    assert "cannot be read as DICOM" in produced
    assert [secret for secret in SECRETS if secret in produced.lower()] == []
    assert UID.search(re.sub(r"20\d\d-\d\d-\d\d", "", produced.split("NRRD0")[0])) is None


def test_the_search_finds_what_is_kept_when_asked(export, tmp_path):
    produced = everything(export, tmp_path / "out", keep_identifiers=True).lower()
    for secret in ("zebrowski", "wilhelmina", "hosp-4711-x", "acc99887766", "mrn-55512"):
        assert secret in produced
    assert UID.search(produced)


def test_the_patient_is_called_as_the_user_says(export):
    index = scan_folder(export, patient_id="GBM_001")
    assert index.patient_id == "GBM_001"
    assert load_visits(index, ["T1"])[0].images["T1"].name == "GBM_001 2024-03-05T0930 T1"


def test_a_pseudonym_is_stable_and_depends_on_the_salt():
    name = pseudonym(PATIENT)
    assert re.fullmatch(r"P-[0-9a-f]{8}", name)
    assert pseudonym({"PatientID": " hosp-4711-x"}) == name  # as another study spells it
    assert pseudonym(PATIENT, "secret") != name
    assert pseudonym({"PatientID": "HOSP-4712-X"}) != name
    nameless = {"PatientName": "A^B", "PatientBirthDate": "19510203"}
    assert pseudonym(nameless) != pseudonym(nameless | {"PatientBirthDate": "19510204"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("T1 ZEBROWSKI", "T1 [removed]"),
        ("T1_zebrowski_wilhelmina", "T1_[removed]_[removed]"),
        ("T1zebrowski2", "T1[removed]2"),
        ("born 1951-02-03 or 03.02.1951", "born [removed] or [removed]"),
        ("1.2.840.10008.5.1.4 T2", "[removed] T2"),
        ("record 1234567890", "record [removed]"),
        ("2024-03-05 T1 20240305 t1_mprage_1.0mm", "2024-03-05 T1 20240305 t1_mprage_1.0mm"),
    ],
)
def test_text_is_scrubbed(text, shown):
    assert scrub(text, secrets_of([PATIENT])) == shown


def test_short_parts_of_a_name_are_removed_where_no_letter_adjoins():
    secrets = secrets_of([{"PatientName": "Name^John"}])
    assert scrub("ProtocolName t1_NAME2 NameJohn johnname", secrets) == "ProtocolName t1_[removed]2 [removed] [removed]"
    secrets = secrets_of([{"PatientName": "Tra^Li"}])
    assert scrub("t2_tra Tra^Li contrast", secrets) == "t2_[removed] [removed] contrast"


def test_values_that_break_the_standard_are_not_shouted(tmp_path, recwarn, caplog):
    paths = write_series(tmp_path, ARRAY, "T1", EchoTime=9.0, RepetitionTime=550.0)
    for path in paths:
        ds = pydicom.dcmread(path)
        ds["PatientBirthDate"].value = "3 Feb 1951"  # no DICOM date
        ds.save_as(path)
    recwarn.clear()
    caplog.clear()
    load_visits(scan_folder(tmp_path))
    assert [str(warning.message) for warning in recwarn] == []
    assert caplog.text == ""
