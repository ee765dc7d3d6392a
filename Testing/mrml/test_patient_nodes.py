"""A patient read from nodes is the patient that was put into them."""

from datetime import datetime

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.patient import patient_from_nodes
from TumorTwinLib.mrml.segmentations import segmentation_from_masks
from TumorTwinLib.mrml.volumes import node_from_image
from TumorTwinLib.treatment.events import RadiotherapyFraction

GRID = Grid.from_spacing((8, 9, 10), (2.0, 2.0, 2.5), (-8.0, -9.0, -12.0))
TUMOR = np.zeros(GRID.shape, bool)
TUMOR[3:6, 3:6, 4:7] = True


def volume(name: str, value: float = 1.0):
    return node_from_image(Image(np.full(GRID.shape, value, np.float32), GRID, name))


@pytest.fixture
def inputs() -> dict:
    segmentation = segmentation_from_masks({"enhancing": Image(TUMOR, GRID, "tumor")}, "tumor")
    times = ["2024-03-01T09:30", datetime(2024, 4, 1, 14, 0)]
    return {
        "patient_id": "A1",
        "visits": [
            {"time": time, "images": {"T1CE": volume("T1CE"), "ADC": volume("ADC", 900)}, "segmentation": segmentation}
            for time in times
        ],
        "brain_mask": node_from_image(Image(np.ones(GRID.shape, bool), GRID, "brain"), labelmap=True),
        "treatments": [RadiotherapyFraction(datetime(2024, 3, 20, 14, 0), 2.0)],
        "tissues": {"white_matter": volume("white", 0.5)},
    }


def test_a_patient_keeps_times_images_regions_and_treatments(inputs):
    patient = patient_from_nodes(**inputs)
    assert patient.patient_id == "A1"
    assert patient.visit_days == pytest.approx((0.0, 31 + 4.5 / 24))
    assert patient.visits[0].images["ADC"].array.max() == 900
    assert np.array_equal(patient.visits[1].core.array, TUMOR)
    assert patient.visits[0].core.grid.same_as(GRID)
    assert patient.brain_mask.array.dtype == bool
    assert patient.treatments[0].dose_gy == 2.0
    assert patient.tissues["white_matter"].name == "white"


def test_the_brain_may_be_a_segmentation(inputs):
    half = np.zeros(GRID.shape, bool)
    half[:5] = True
    inputs["brain_mask"] = segmentation_from_masks(
        {"brain": Image(half, GRID, "half"), "core": Image(TUMOR, GRID, "tumor")}, "structures"
    )
    assert np.array_equal(patient_from_nodes(**inputs).brain_mask.array, half)


def unknown_modality(inputs):
    inputs["visits"][0]["images"]["PD"] = volume("proton density")


def no_time(inputs):
    inputs["visits"][1]["time"] = "yesterday"


def unknown_segments(inputs):
    inputs["visits"][0]["segmentation"] = segmentation_from_masks({"lung": Image(TUMOR, GRID, "l")}, "organs")


def ambiguous_brain(inputs):
    masks = {"left": Image(TUMOR, GRID, "l"), "right": Image(TUMOR, GRID, "r")}
    inputs["brain_mask"] = segmentation_from_masks(masks, "hemispheres")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unknown_modality, "proton density is given as modality PD, which is not known: use one of T1"),
        (no_time, "Visit 2 has the date 'yesterday'"),
        (unknown_segments, r"organs has none of the segments enhancing.*\(it has lung\)"),
        (ambiguous_brain, "hemispheres has no segment named brain"),
        (lambda inputs: inputs.update(brain_mask=None), "No brain mask is selected"),
        (lambda inputs: inputs["visits"][0]["images"].update(T1=None), "No volume is selected"),
    ],
    ids=["modality", "time", "segments", "brain", "no-brain", "no-volume"],
)
def test_refusals_name_the_node(inputs, spoil, message):
    spoil(inputs)
    with pytest.raises(TumorTwinError, match=message):
        patient_from_nodes(**inputs)
