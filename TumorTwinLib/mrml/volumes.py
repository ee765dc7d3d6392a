"""Volume nodes to images and back. MRML arrays are [k, j, i] views; ours are [i, j, k] copies."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image

# Our unit: UCUM code, for the coded units that DICOM and MRML volumes carry.
_UCUM = {"1": ("1", "no units"), "1e-6 mm2/s": ("um2/s", "micrometer squared per second"), "Gy": ("Gy", "Gray")}
_UNIT_OF_UCUM = {code: unit for unit, (code, _) in _UCUM.items()}


def affine_from_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """(4, 4) array of a VTK matrix."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_from_affine(affine: np.ndarray) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(affine, dtype=float).ravel().tolist())
    return matrix


def parent_transform(node) -> np.ndarray:
    """(4, 4) affine from the node's own coordinates to world RAS.

    Raises:
        TumorTwinError: the node is under a transform that is not linear.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not transform.GetMatrixTransformToWorld(matrix):
        raise TumorTwinError(
            f"{node.GetName()} is under the non-linear transform {transform.GetName()}: "
            "harden it in the Data module (right click, Harden transform)."
        )
    return affine_from_matrix(matrix)


def image_from_node(node) -> Image:
    """The voxels of a scalar or label volume in world coordinates, copied.

    Linear parent transforms are applied to the geometry; the voxels stay as they are.

    Raises:
        TumorTwinError: no node, not a volume, no voxels, several components, or a non-linear parent transform.
    """
    if node is None:
        raise TumorTwinError("No volume is selected: choose one.")
    name = node.GetName()
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise TumorTwinError(f"{name} is a {node.GetNodeTagName()}, not a scalar volume: choose a volume.")
    data = node.GetImageData()
    if data is None or data.GetNumberOfPoints() == 0:
        raise TumorTwinError(f"{name} has no voxels: load its file again.")
    if data.GetNumberOfScalarComponents() != 1:
        raise TumorTwinError(f"{name} has {data.GetNumberOfScalarComponents()} values a voxel: choose a scalar volume.")
    ijk_to_ras = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijk_to_ras)
    array = np.array(slicer.util.arrayFromVolume(node).T, order="C")
    grid = Grid(array.shape, parent_transform(node) @ affine_from_matrix(ijk_to_ras))
    units = node.GetVoxelValueUnits()
    unit = _UNIT_OF_UCUM.get(units.GetCodeValue(), units.GetCodeValue()) if units else ""
    return Image(array, grid, name, unit)


def node_from_image(image: Image, name: str = "", *, labelmap: bool = False, node=None):
    """A volume node holding the image: a new one, or ``node`` with its content replaced.

    Args:
        image: masks (bool) become 0 and 1.
        name: of a new node; the image's by default.
        labelmap: make a label volume instead of a scalar volume.
    """
    if node is None:
        class_name = "vtkMRMLLabelMapVolumeNode" if labelmap else "vtkMRMLScalarVolumeNode"
        node = slicer.mrmlScene.AddNewNodeByClass(class_name, name or image.name)
    fill_volume(node, image)
    node.CreateDefaultDisplayNodes()  # after the voxels, from which it takes window and level
    return node


def fill_volume(node, image: Image) -> None:
    """Replace voxels, geometry and unit of a volume node, which need not be in a scene."""
    array = image.array.astype(np.uint8) if image.array.dtype == bool else image.array
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array.T))
    node.SetIJKToRASMatrix(matrix_from_affine(image.grid.ijk_to_ras))
    if image.unit:
        node.SetVoxelValueUnits(coded_entry(*_ucum(image.unit)))


def _ucum(unit: str) -> tuple[str, str, str]:
    code, meaning = _UCUM.get(unit, (unit, unit))
    return code, "UCUM", meaning


def coded_entry(code: str, scheme: str, meaning: str):
    """A coded concept (code, coding scheme, meaning) as MRML holds it."""
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(code, scheme, meaning)
    return entry
