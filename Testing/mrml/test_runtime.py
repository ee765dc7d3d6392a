"""slicer-core made to look like the running application."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
import slicer
import vtk

from TumorTwinLib.mrml.runtime import ensure_slicer


def test_starting_twice_keeps_the_same_application():
    before = slicer.mrmlScene, slicer.app
    assert ensure_slicer() is slicer
    assert (slicer.mrmlScene, slicer.app) == before


def test_without_slicer_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['slicer'] = None\n"
        "from TumorTwinLib.errors import TumorTwinError\n"
        "try:\n    import TumorTwinLib.mrml\nexcept TumorTwinError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install slicer-core" in run.stdout


def test_modules_have_logics_and_are_found_by_name():
    assert slicer.modules.volumes.logic().IsA("vtkSlicerVolumesLogic")
    assert slicer.util.getModule("Segmentations") is slicer.modules.segmentations
    assert "Colors" in slicer.util.moduleNames()
    assert slicer.mrmlScene.GetNodeByID("vtkMRMLColorTableNodeGrey")


def test_data_nodes_have_subject_hierarchy_items_while_they_exist(scene):
    node = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4)), name="head")
    hierarchy = scene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node)
    assert hierarchy.GetItemName(item) == "head"
    scene.RemoveNode(node)
    assert hierarchy.GetItemDataNode(item) is None
    assert hierarchy.GetNumberOfItems() == 0


def test_vtk_errors_are_logged_and_not_printed(caplog, capfd):
    with caplog.at_level(logging.ERROR, logger="TumorTwin.vtk"):
        vtk.vtkXMLImageDataReader().Update()  # no file name set
    assert "TumorTwin.vtk" in {record.name for record in caplog.records}
    assert "ERROR" not in capfd.readouterr().err


@pytest.mark.parametrize("extension", [".nrrd", ".nii.gz", ".mha"])
def test_volumes_save_and_load_with_values_and_geometry(tmp_path, extension):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    ijk_to_ras = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 11], [0, 0, 0, 1]])
    node = slicer.util.addVolumeFromArray(array, ijk_to_ras, name="oblique")
    path = tmp_path / f"oblique{extension}"
    assert slicer.util.saveNode(node, str(path), {})
    loaded = slicer.util.loadVolume(path, {"show": False})
    matrix = vtk.vtkMatrix4x4()
    loaded.GetIJKToRASMatrix(matrix)
    assert loaded.GetName() == "oblique_1"  # the first is still in the scene
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), array)
    assert slicer.util.arrayFromVTKMatrix(matrix) == pytest.approx(ijk_to_ras, abs=1e-6)


def test_export_leaves_the_nodes_own_file_name(tmp_path):
    node = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4)), name="head")
    slicer.util.saveNode(node, str(tmp_path / "own.nrrd"), {})
    assert slicer.util.exportNode(node, str(tmp_path / "copy.nii.gz"), {})
    assert (tmp_path / "copy.nii.gz").exists()
    assert node.GetStorageNode().GetFileName().endswith("own.nrrd")


def test_export_in_world_coordinates_applies_the_parent_transform(tmp_path, scene):
    node = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4)), name="head")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 40.0)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(shift)
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert slicer.util.exportNode(node, str(tmp_path / "world.nrrd"), {}, world=True)
    assert slicer.util.loadVolume(tmp_path / "world.nrrd", {}).GetOrigin()[0] == pytest.approx(40.0)
    assert node.GetOrigin()[0] == 0.0


@pytest.mark.parametrize("kind", ["table", "text", "model", "transform"])
def test_other_nodes_save_and_load(tmp_path, scene, kind):
    def load_table(path):
        return slicer.util.loadTable(path).GetTable().GetColumnByName("day").GetValue(2)

    table = slicer.util.updateTableFromArray(None, [np.array([0.0, 1.0, 2.5])], ["day"])
    text = scene.AddNewNodeByClass("vtkMRMLTextNode")
    text.SetText("größe")
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    model = slicer.modules.models.logic().AddModel(sphere.GetOutput())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    cases = {
        "table": (table, "a.csv", load_table, "2.5"),
        "text": (text, "a.txt", lambda path: slicer.util.loadText(path).GetText(), "größe"),
        "model": (model, "a.vtk", lambda path: slicer.util.loadModel(path).GetPolyData().GetNumberOfPoints(), 50),
        "transform": (transform, "a.h5", lambda path: slicer.util.loadTransform(path).IsLinear(), 1),
    }
    node, name, load, expected = cases[kind]
    assert slicer.util.saveNode(node, str(tmp_path / name), {})
    assert str(load(tmp_path / name)) == str(expected)


def test_a_missing_file_raises_and_adds_no_node(tmp_path, scene):
    before = scene.GetNumberOfNodes()
    with pytest.raises(RuntimeError, match="absent.nrrd"):
        slicer.util.loadVolume(tmp_path / "absent.nrrd", {})
    assert scene.GetNumberOfNodes() == before


def test_exit_carries_the_status():
    with pytest.raises(SystemExit) as exit_info:
        slicer.util.exit(3)
    assert exit_info.value.code == 3


def test_the_process_leaves_no_temporary_folder_and_exits_cleanly(tmp_path):
    code = "import TumorTwinLib.mrml, slicer; print(slicer.app.temporaryPath)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.strip().startswith(str(tmp_path))
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []
