"""``logic.segment``: volumes of one visit in, a segmentation, a table and probability volumes out."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from Testing.processing.bright_network import install_bright_network
from Testing.processing.small_head import labels, scan
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.metrics import dice
from TumorTwinLib.mrml.logic import TumorTwinLogic
from TumorTwinLib.mrml.segmentations import masks_from_segmentation
from TumorTwinLib.mrml.volumes import image_from_node, node_from_image

RADIUS_MM = 18.0


@pytest.fixture
def model(tmp_path, monkeypatch) -> str:
    pytest.importorskip("monai")
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "models"))
    return install_bright_network()


@pytest.fixture
def volumes():
    return {name: node_from_image(scan(name, RADIUS_MM), name) for name in ("t1", "t1ce", "t2", "flair")}


def test_volumes_become_a_segmentation_with_its_table(model, volumes):
    told = []
    result = TumorTwinLogic().segment(**volumes, model=model, device="cpu", onProgress=told.append)
    masks = masks_from_segmentation(result.segmentation)
    grid = masks["edema"].grid
    assert dice(masks["edema"].array, labels(RADIUS_MM).resample(grid, order=0).array > 0) > 0.9
    table = result.table.GetTable()
    regions = [table.GetColumnByName("region").GetValue(row) for row in range(table.GetNumberOfRows())]
    volume_ml = table.GetColumnByName("volume_ml").GetValue(regions.index("whole_tumor"))
    assert volume_ml == pytest.approx(masks["edema"].array.sum() * grid.voxel_volume_mm3 / 1000)
    assert result.table.GetColumnUnitLabel("volume_ml") == "mL"
    probability = image_from_node(result.probabilities["whole_tumor"]).array
    assert np.array_equal(probability > 0.5, masks["edema"].array)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_what_is_missing_is_said_and_the_scene_stays(model, volumes):
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(TumorTwinError, match="needs T1, which"):
        TumorTwinLogic().segment(**{**volumes, "t1": None}, model=model, device="cpu")
    with pytest.raises(TumorTwinError, match="no segmentation model 'absent'"):
        TumorTwinLogic().segment(**volumes, model="absent")
    assert slicer.mrmlScene.GetNumberOfNodes() == before
