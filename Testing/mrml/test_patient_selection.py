"""Scans are found in a scene and kept with it."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import slicer

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.patient_selection import PatientSelection, VisitSelection, load, store
from TumorTwinLib.mrml.run_nodes import file_under, folder_item, patient_item, study_item
from TumorTwinLib.mrml.scan_finder import find_scans, patients_in_scene
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.segmentations import segmentation_from_masks
from TumorTwinLib.mrml.visits import show_patient
from TumorTwinLib.mrml.volumes import node_from_image
from TumorTwinLib.patient import PatientData

GRID = Grid.from_spacing((6, 7, 8), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
TUMOR = np.zeros(GRID.shape, bool)
TUMOR[2:4, 2:4, 2:4] = True


def volume(name: str, labelmap: bool = False):
    return node_from_image(Image(TUMOR.astype(np.float32), GRID, name), labelmap=labelmap)


def segmentation(name: str, region: str = "enhancing"):
    return segmentation_from_masks({region: Image(TUMOR, GRID, name)}, name)


def dicom_study(patient: str, name: str, date: str, time: str, *nodes) -> None:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = study_item(patient, name)
    hierarchy.SetItemAttribute(item, "DICOM.StudyDate", date)
    hierarchy.SetItemAttribute(item, "DICOM.StudyTime", time)
    file_under(item, nodes)


@pytest.fixture
def shown(patient) -> PatientSelection:
    tissue = Image(np.full(patient.brain_mask.grid.shape, 0.5, np.float32), patient.brain_mask.grid, "white")
    patient = PatientData(
        patient.patient_id, visits=patient.visits, brain_mask=patient.brain_mask, tissues={"white_matter": tissue}
    )
    return PatientSelection.of_shown(patient, show_patient(patient, show_tissues=True))


def test_a_shown_patient_is_found_whole(shown, forecast):
    show_forecast(forecast)  # results of a run are no scans
    assert patients_in_scene() == [shown.patient_id]
    found, notices = find_scans(shown.patient_id)
    assert found == shown
    assert notices == []


def test_a_selection_survives_saving_and_renaming(shown, scene, tmp_path):
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "TumorTwin")
    undated = replace(shown, visits=(*shown.visits, VisitSelection()))
    store(undated, node)
    assert load(node) == undated
    shown.visits[1].images["T1CE"].SetName("after surgery")
    load_scene(save_scene(tmp_path / "scene.mrb"))
    back = load(scene.GetFirstNode("TumorTwin", "vtkMRMLScriptedModuleNode"))
    assert [visit.time for visit in back.visits] == [visit.time for visit in undated.visits]
    assert back.visits[1].images["T1CE"].GetName() == "after surgery"
    assert back.brain_mask.GetName() == "Brain"
    assert set(back.tissues) == {"white_matter"}


def test_storing_fewer_visits_forgets_the_others(shown, scene):
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "TumorTwin")
    store(shown, node)
    store(replace(shown, visits=shown.visits[:1], tissues={}), node)
    assert len(load(node).visits) == 1
    assert load(node).tissues == {}
    store(PatientSelection(), node)
    assert load(node) == PatientSelection()


def test_a_node_that_left_the_scene_is_missing_from_the_selection(shown, scene):
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "TumorTwin")
    store(shown, node)
    scene.RemoveNode(shown.visits[0].segmentation)
    scene.RemoveNode(shown.visits[1].images["FLAIR"])
    assert load(node).visits[0].segmentation is None
    assert set(load(node).visits[1].images) == {"T1CE"}


def test_dicom_studies_become_visits_in_order_of_time():
    later = [volume("3: t1_mprage_sag_post"), volume("AX T1 FLAIR fat sat"), volume("ep2d_diff_ADC"), volume("Scout")]
    earlier = [volume("AX T1 post GAD"), volume("t2_tse"), volume("flair"), segmentation("tumor")]
    dicom_study("Doe^Jane", "MR brain", "20240408", "074500.000", *later)
    dicom_study("Doe^Jane", "MR brain 1", "2024-03-04", "09:30", *earlier)
    file_under(patient_item("Doe^Jane"), [volume("brain mask", labelmap=True), volume("white matter")])
    dicom_study("Roe^Rick", "CT", "20240101", "1200", volume("T1"))
    assert set(patients_in_scene()) == {"Doe^Jane", "Roe^Rick"}
    found, notices = find_scans("Doe^Jane")
    assert [visit.time for visit in found.visits] == [datetime(2024, 3, 4, 9, 30), datetime(2024, 4, 8, 7, 45)]
    names = [{role: node.GetName() for role, node in visit.images.items()} for visit in found.visits]
    assert names[0] == {"T1CE": "AX T1 post GAD", "T2": "t2_tse", "FLAIR": "flair"}
    assert names[1] == {"T1CE": "3: t1_mprage_sag_post", "ADC": "ep2d_diff_ADC"}
    assert found.visits[0].segmentation.GetName() == "tumor"
    assert found.brain_mask.GetName() == "brain mask"
    assert set(found.tissues) == {"white_matter"}
    assert notices == ["AX T1 FLAIR fat sat could be FLAIR or T1 by its name: rename it to one of them."]


def test_without_studies_folders_and_dates_in_names_part_the_visits(scene):
    in_folder = [volume("T1CE"), segmentation("seg")]
    file_under(folder_item(scene.GetSubjectHierarchyNode().GetSceneItemID(), "2024-05-06 14:30"), in_folder)
    volume("2024-03-04 T1CE")
    volume("2024-03-04 FLAIR")
    volume("2024-03-04 FLAIR again")
    segmentation("brain of the patient", "brain")
    volume("T2 99999999")
    assert patients_in_scene() == []
    found, notices = find_scans()
    assert [visit.time for visit in found.visits] == [datetime(2024, 3, 4), datetime(2024, 5, 6, 14, 30), None]
    assert set(found.visits[0].images) == {"T1CE", "FLAIR"}
    assert found.visits[1].segmentation.GetName() == "seg"
    assert set(found.visits[2].images) == {"T2"}
    assert found.brain_mask.GetName() == "brain of the patient"
    assert notices == ["2024-03-04 FLAIR again is left out: 2024-03-04 FLAIR is already the FLAIR of its visit."]
