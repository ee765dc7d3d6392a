"""The nodes of one patient's run: found again by a mark on each, and filed in the subject hierarchy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer

_MARK = "TumorTwin.Role"
VISITS_RUN = "visits"  # the run of a patient's own scans; every other run holds results


def is_result(node) -> bool:
    """Whether the node is what a run made, and not a patient's scan."""
    parts = (node.GetAttribute(_MARK) or "").split("/")
    return len(parts) > 1 and VISITS_RUN not in parts


class RunNodes:
    """Finds or adds nodes by their role, so that a second run refills nodes instead of piling up new ones.

    Args:
        patient_id: whose nodes.
        run: which set of nodes of that patient; another name makes another set.
    """

    def __init__(self, patient_id: str, run: str) -> None:
        self._prefix = f"{patient_id}/{run}/"
        self._used: set[str] = set()

    def get(self, class_name: str, role: str, name: str, known=None):
        """The node with that role, added with default display nodes when there is none yet.

        Args:
            known: the node, if it is already known to have that role.
        """
        node = known or self._existing().get(self._prefix + role)
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
            if node.IsA("vtkMRMLDisplayableNode"):
                node.CreateDefaultDisplayNodes()
        node.SetName(name)
        node.SetAttribute(_MARK, self._prefix + role)
        self._used.add(self._prefix + role)
        return node

    def find(self, role: str):
        """The node with that role, or None."""
        return self._existing().get(self._prefix + role)

    def remove_unused(self) -> None:
        """Remove nodes of an earlier run that this one did not ask for, e.g. a region it does not have."""
        for mark, node in self._existing().items():
            if mark not in self._used:
                remove_whole(node)

    def _existing(self) -> dict[str, Any]:
        scene = slicer.mrmlScene
        nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
        marks = ((node.GetAttribute(_MARK), node) for node in nodes)
        return {mark: node for mark, node in marks if mark and mark.startswith(self._prefix)}


def remove_whole(node) -> None:
    """Remove a node with its display and storage nodes, which the scene keeps otherwise."""
    helpers = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(number) for number in range(node.GetNumberOfStorageNodes())]
    slicer.mrmlScene.RemoveNode(node)
    for helper in helpers:
        if helper is not None:
            slicer.mrmlScene.RemoveNode(helper)


def patient_item(patient_id: str) -> int:
    """The subject-hierarchy item of a patient, made if it is not there."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    root = hierarchy.GetSceneItemID()
    return hierarchy.GetItemChildWithName(root, patient_id) or hierarchy.CreateSubjectItem(root, patient_id)


def study_item(patient_id: str, study: str) -> int:
    """The subject-hierarchy item of a patient's study, made if it is not there."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    patient = patient_item(patient_id)
    return hierarchy.GetItemChildWithName(patient, study) or hierarchy.CreateStudyItem(patient, study)


def folder_item(parent_item: int, name: str) -> int:
    """The folder of that name under an item, made if it is not there."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    return hierarchy.GetItemChildWithName(parent_item, name) or hierarchy.CreateFolderItem(parent_item, name)


def file_under(parent_item: int, nodes: Iterable) -> None:
    """Move the items of the nodes under an item. Nodes that Slicer does not show in the tree have none."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, parent_item)
