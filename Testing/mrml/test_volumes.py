"""Volume nodes to images and back: values, geometry, units, transforms, refusals."""

import numpy as np
import pytest
import slicer
import vtk

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.volumes import image_from_node, matrix_from_affine, node_from_image


def oblique_grid(shape=(5, 6, 7)) -> Grid:
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = rotation * [1.0, 1.5, 3.0]
    affine[:3, 3] = [-20.0, 30.0, 7.5]
    return Grid(shape, affine)


def numbered_image(name="head", unit="") -> Image:
    grid = oblique_grid()
    return Image(np.arange(np.prod(grid.shape), dtype=np.float32).reshape(grid.shape), grid, name, unit)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
def test_round_trip_keeps_values_type_and_oblique_geometry(dtype):
    image = numbered_image()
    image = Image(image.array.astype(dtype), image.grid, "head")
    back = image_from_node(node_from_image(image))
    assert back.name == "head"
    assert back.array.dtype == dtype
    assert np.array_equal(back.array, image.array)
    assert back.grid.same_as(image.grid)


def test_the_same_voxel_is_at_the_same_place_in_slicer():
    image = numbered_image()
    node = node_from_image(image)
    i, j, k = 1, 4, 2
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    assert matrix.MultiplyPoint((i, j, k, 1))[:3] == pytest.approx(image.grid.ras_mm(np.array([i, j, k])))
    assert slicer.util.arrayFromVolume(node)[k, j, i] == image.array[i, j, k]


def test_images_are_copies():
    node = node_from_image(numbered_image())
    image = image_from_node(node)
    slicer.util.arrayFromVolume(node)[:] = 0
    assert image.array.max() > 0


def test_linear_parent_transforms_move_the_geometry_not_the_voxels(scene):
    image = numbered_image()
    node = node_from_image(image)
    motion = np.array([[0, -1.0, 0, 10], [1, 0, 0, -4], [0, 0, 1, 2], [0, 0, 0, 1]])
    outer, inner = (scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in range(2))
    for transform in (outer, inner):
        transform.SetMatrixTransformToParent(matrix_from_affine(motion))
    inner.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(inner.GetID())
    moved = image_from_node(node)
    assert np.array_equal(moved.array, image.array)
    assert moved.grid.ijk_to_ras == pytest.approx(motion @ motion @ image.grid.ijk_to_ras)


def test_masks_become_label_volumes():
    grid = oblique_grid()
    mask = np.zeros(grid.shape, bool)
    mask[1:3] = True
    node = node_from_image(Image(mask, grid, "brain"), labelmap=True)
    assert node.IsA("vtkMRMLLabelMapVolumeNode")
    assert np.array_equal(image_from_node(node).array, mask.astype(np.uint8))


@pytest.mark.parametrize("unit", ["1e-6 mm2/s", "Gy", "mm2/d"])
def test_units_travel_with_the_volume(unit):
    assert image_from_node(node_from_image(numbered_image(unit=unit))).unit == unit


def test_refilling_a_node_replaces_its_content(scene):
    node = node_from_image(numbered_image())
    count = scene.GetNumberOfNodes()
    other = Image(np.ones((2, 2, 2), np.float32), Grid.from_spacing((2, 2, 2), (4, 4, 4)), "other")
    assert node_from_image(other, node=node) is node
    assert scene.GetNumberOfNodes() == count
    assert image_from_node(node).grid.same_as(other.grid)


def make_bent_volume(scene):
    node = node_from_image(numbered_image())
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bend")
    thin_plate = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for point in [(0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9), (4, 4, 4)]:
        points.InsertNextPoint(point)
    moved = vtk.vtkPoints()
    moved.DeepCopy(points)
    moved.SetPoint(4, 6, 4, 4)
    thin_plate.SetSourceLandmarks(points)
    thin_plate.SetTargetLandmarks(moved)
    thin_plate.SetBasisToR()
    bend.SetAndObserveTransformToParent(thin_plate)
    node.SetAndObserveTransformNodeID(bend.GetID())
    return node


def make_vector_volume(_scene):
    return slicer.util.addVolumeFromArray(np.zeros((3, 3, 3, 2)), name="head", nodeClassName="vtkMRMLVectorVolumeNode")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda scene: None, "No volume is selected: choose one."),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head"), "head has no voxels"),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "head"), "head is a Segmentation, not a"),
        (make_bent_volume, "head is under the non-linear transform bend: harden it"),
        (make_vector_volume, "head has 2 values a voxel"),
    ],
    ids=["none", "empty", "segmentation", "bent", "vector"],
)
def test_refusals_name_the_node(scene, make, message):
    with pytest.raises(TumorTwinError, match=message):
        image_from_node(make(scene))
