"""The whole pipeline on small heads: a patient folder comes out, and only what changed is made again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.processing.small_head import GRID, SCANS, labels, write_visit
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.processing import anatomy, run
from TumorTwinLib.processing.pipeline import is_raw
from TumorTwinLib.processing.record import Made
from TumorTwinLib.volume_files import read_volume, write_volume

FOUR = ["T1", "T1CE", "T2", "FLAIR"]
PIPELINE = {"modalities": FOUR, "spacing_mm": 4.0}


@pytest.fixture
def raw(tmp_path):
    """Two visits of four scans with outlines, and treatments whose notes name the patient."""
    folder = tmp_path / "raw"
    write_visit(folder / "2024-03-05", 16.0)
    write_visit(folder / "2024-06-03T1430", 20.0)
    (folder / "treatment.csv").write_text(
        "date,kind,name,amount,unit,note\n2024-04-01,radiotherapy,,2,Gy,Jane Doe\n", encoding="utf-8"
    )
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A ball fits no atlas and needs no minute of searching; the rooms imaging and segmentation test the real ones."""
    place = {"matrix_ras": np.eye(4).tolist(), "warning": ""}
    quality = dict.fromkeys(("agreement", "contrast", "spread_mm", "overlap", "coverage"), 1.0)
    monkeypatch.setattr(anatomy, "place_atlas", lambda scan: Made(values={**place, "quality": quality}))
    still = {"matrix_ras": np.eye(4).tolist(), "moved_mm": 0.0, "quality": None}
    monkeypatch.setattr(run, "align_across", lambda first, later: Made(values={"scan": still}))


def process(raw, out, *, settings=(), **options):
    return tt.ImagingPipeline(**{**PIPELINE, **dict(settings)}).process(raw, out, **options)


def test_the_output_is_a_patient_that_can_be_calibrated(raw, tmp_path):
    processed = process(raw, tmp_path / "out", patient_id="P1")
    patient = tt.PatientData(imaging_dir=processed["imaging"])
    assert patient.patient_id == "P1"
    assert patient.notices == ()
    assert patient.visit_days == pytest.approx((0.0, 90 + 14.5 / 24))
    assert [set(visit.images) for visit in patient.visits] == [set(FOUR)] * 2
    grids = [image.grid for visit in patient.visits for image in (*visit.images.values(), *visit.regions.values())]
    assert all(grid.same_as(patient.brain_mask.grid) for grid in grids)
    expected = (labels(16.0).array > 0).sum()
    assert patient.visits[0].whole_tumor.array.sum() == expected
    assert len(patient.treatments) == 1
    tissue = sum(image.array for image in patient.tissues.values())
    assert tissue[patient.brain_mask.array] == pytest.approx(1.0, abs=2e-3)
    assert processed["scan_baseline"].time == patient.start
    assert set(processed["scan_followup"].regions) == {"necrotic_core", "edema", "enhancing"}
    assert dict(processed).keys() >= {"imaging", "scan_1", "scan_2", "brain_mask", "features", "manifest"}


def test_stripped_and_aligned_scans_are_taken_as_they_are(raw, tmp_path):
    processed = process(raw, tmp_path / "out")
    assert "without skull and aligned" in " ".join(processed.notices)
    copied = read_volume(tmp_path / "out" / "2024-03-05" / "T1.nii.gz")
    assert np.array_equal(copied.array, read_volume(raw / "2024-03-05" / "t1.nii.gz").array)


def test_a_second_run_computes_nothing_and_leaves_the_same_bytes(raw, tmp_path):
    out = tmp_path / "out"
    assert process(raw, out).computed
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "manifest.json"}
    assert process(raw, out).computed == ()
    assert {path: path.read_bytes() for path in before} == before


def test_only_what_changed_is_made_again(raw, tmp_path):
    out = tmp_path / "out"
    process(raw, out)
    write_visit(tmp_path / "third", 24.0)
    shutil.move(tmp_path / "third", raw / "2024-09-01")
    added = process(raw, out).computed
    assert added
    assert all("2024-09-01" in name or name in ("tissues", "features", "patient files") for name in added)
    (out / "2024-03-05" / "T2.nii.gz").unlink()
    assert process(raw, out).computed == ("image 2024-03-05 T2",)


def test_a_visit_that_is_gone_leaves_nothing_behind(raw, tmp_path):
    out = tmp_path / "out"
    process(raw, out)
    shutil.rmtree(raw / "2024-06-03T1430")
    process(raw, out)
    assert not list(out.rglob("*2024-06-03*"))
    assert len(tt.PatientData(imaging_dir=out).visits) == 1


def test_an_outline_corrected_in_the_output_is_kept_from_then_on(raw, tmp_path):
    out = tmp_path / "out"
    process(raw, out)
    write_volume(labels(12.0), out / "2024-03-05" / "seg.nii.gz")
    corrected = (labels(12.0).array > 0).sum()
    for expected in (("segment 2024-03-05", "tissues", "features"), ()):
        processed = process(raw, out)
        assert processed.computed == expected
        assert processed["scan_baseline"].whole_tumor.array.sum() == corrected
    assert "corrected by hand" in " ".join(processed.notices)


def test_cancelled_between_steps_it_continues_where_it_was(raw, tmp_path):
    out, asked = tmp_path / "out", []

    def soon() -> bool:
        asked.append(True)
        return len(asked) > 20  # some of the steps are done by then

    with pytest.raises(CancelledError):
        process(raw, out, cancelled=soon)
    done = set(json.loads((out / "manifest.json").read_text())["steps"])
    assert done
    assert not json.loads((out / "manifest.json").read_text())["complete"]
    assert done.isdisjoint(process(raw, out).computed)
    assert json.loads((out / "manifest.json").read_text())["complete"]


def test_progress_rises_and_segmentation_follows_imaging(raw, tmp_path):
    told = []
    process(raw, tmp_path / "out", on_progress=told.append)
    shares = [progress.done / progress.total for progress in told]
    assert shares == sorted(shares)
    assert shares[-1] <= 1.0
    stages = [progress.stage for progress in told]
    assert stages == sorted(stages, key=("imaging", "segmentation").index)
    assert set(stages) == {"imaging", "segmentation"}


def test_nothing_written_names_the_patient(tmp_path):
    folder = tmp_path / "DOE^JANE 1970"
    write_visit(folder / "2024-03-05 doe jane", 16.0)
    (folder / "treatment.csv").write_text(
        "date,kind,name,amount,unit,note\n2024-04-01,radiotherapy,,2,Gy,Doe\n", encoding="utf-8"
    )
    process(folder, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        assert "doe" not in str(path.relative_to(tmp_path)).lower()
        if path.is_file():
            content = path.read_bytes().lower()
            assert b"doe" not in content or path.suffix == ".gz"
            assert str(tmp_path).encode() not in content


def test_outlines_alone_with_tissue_maps_make_a_patient(tmp_path):
    folder = tmp_path / "pair"
    folder.mkdir()
    write_volume(labels(14.0), folder / "7_time1_seg.nii.gz")
    write_volume(labels(20.0), folder / "7_time2_seg.nii.gz")
    for name, share in (("white_matter", 0.7), ("grey_matter", 0.3), ("csf", 0.0)):
        values = np.where(np.abs(np.indices(GRID.shape)[0] - 20) < 15, share, 0).astype(np.float32)
        write_volume(tt.Image(values, GRID), folder / f"{name}.nii.gz")
    processed = process(folder, tmp_path / "out", interval_days=60.0)
    assert processed.patient.visit_days == (0.0, 60.0)
    assert "60 days apart, as given" in " ".join(processed.notices)
    assumed = process(folder, tmp_path / "assumed")
    assert assumed.patient.visit_days == (0.0, 90.0)
    assert "90 days apart, an assumption" in " ".join(assumed.notices)


def test_a_cavity_is_fluid_unless_a_tumor_grew_into_it(tmp_path):
    folder = tmp_path / "pair"
    folder.mkdir()
    first = labels(14.0)
    distance = np.indices(GRID.shape)[0]
    cavity = (distance > 8) & (distance < 12) & (np.indices(GRID.shape)[1] == 20)
    write_volume(
        tt.Image(np.where(cavity, 4, np.where(first.array == 4, 3, first.array)), GRID), folder / "time1_seg.nii"
    )
    write_volume(tt.Image(np.where(labels(20.0).array > 0, 2, 0).astype(np.uint8), GRID), folder / "time2_seg.nii")
    for name, share in (("white_matter", 1.0), ("grey_matter", 0.0), ("csf", 0.0)):
        write_volume(tt.Image(np.full(GRID.shape, share, np.float32), GRID), folder / f"{name}.nii.gz")
    processed = process(folder, tmp_path / "out", settings={"label_convention": "brats2024"})
    csf = processed["tissues"]["csf"].array
    assert csf[cavity].min() == 1.0
    assert csf[processed["scan_followup"].whole_tumor.array].max() == 0.0
    assert (tmp_path / "out" / "anatomy" / "2000-01-01" / "resection_cavity.nii.gz").is_file()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: shutil.copy(raw / "2024-03-05/t1.nii.gz", raw / "2024-03-05/t1_copy.nii.gz"), "has 2 T1"),
        (lambda raw: (raw / "2024-03-05").rename(raw / "first"), "has no date"),
    ],
)
def test_a_mapping_to_correct_is_left_in_the_output(raw, tmp_path, spoil, message):
    spoil(raw)
    with pytest.raises(TumorTwinError, match=message) as caught:
        process(raw, tmp_path / "out")
    assert str(tmp_path / "out" / "mapping.csv") in str(caught.value)
    assert "modality" in (tmp_path / "out" / "mapping.csv").read_text(encoding="utf-8")


def test_a_corrected_mapping_is_obeyed(raw, tmp_path):
    shutil.copy(raw / "2024-03-05/t1.nii.gz", raw / "2024-03-05/t1_copy.nii.gz")
    with pytest.raises(TumorTwinError):
        process(raw, tmp_path / "out")
    mapping = tmp_path / "out" / "mapping.csv"
    lines = mapping.read_text(encoding="utf-8").splitlines()
    kept = [line if "t1_copy" not in line else line.replace(",T1,", ",,", 1) for line in lines]
    mapping.write_text("\n".join(kept), encoding="utf-8")
    assert len(process(raw, tmp_path / "out", mapping=mapping).patient.visits) == 2


def test_places_that_results_must_not_go_to_are_refused(raw, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(TumorTwinError, match="not TumorTwin's"):
        process(raw, tmp_path / "mine")
    with pytest.raises(TumorTwinError, match="inside the patient's folder"):
        process(raw, raw / "out")
    assert not (raw / "out").exists()


def test_a_monai_compose_takes_the_place_of_bias_correction(raw, tmp_path):
    transforms = pytest.importorskip("monai.transforms")
    preprocess = transforms.Compose(
        [
            transforms.LoadImage(image_only=True),
            transforms.EnsureChannelFirst(),
            transforms.Spacing(pixdim=(4.0, 4.0, 4.0)),
            transforms.ScaleIntensity(),
            transforms.CropForeground(),
        ]
    )
    processed = process(raw, tmp_path / "out", settings={"preprocessing": preprocess})
    first = processed["scan_baseline"]
    assert first.images["FLAIR"].array.max() == pytest.approx(1.0, abs=0.05)
    assert first.images["FLAIR"].grid.shape != GRID.shape
    center = first.whole_tumor.grid.ras_mm(np.argwhere(first.whole_tumor.array).mean(axis=0))
    assert center == pytest.approx((20.0, 10.0, 0.0), abs=2.0)
    assert process(raw, tmp_path / "out", settings={"preprocessing": preprocess}).computed == ()
    other = transforms.Compose([transforms.ScaleIntensity(minv=0, maxv=2)])
    assert "image 2024-03-05 T1" in process(raw, tmp_path / "out", settings={"preprocessing": other}).computed


def test_raw_scans_are_told_from_a_patient_folder(raw, tmp_path):
    assert is_raw(raw)
    process(raw, tmp_path / "out")
    assert not is_raw(tmp_path / "out")
    assert not is_raw(tmp_path / "out" / "manifest.json")


def test_every_scan_is_known_by_its_name(raw):
    assert set(tt.ImagingPipeline(**PIPELINE).check(raw).visits[0].hashes) == {name.upper() for name in SCANS}
