"""Masks to segmentations and back: overlap, geometry, terminology, colors, files, refusals."""

import numpy as np
import pytest
import slicer
import vtk

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.segmentations import masks_from_segmentation, segmentation_from_masks
from TumorTwinLib.mrml.volumes import image_from_node, matrix_from_affine, node_from_image
from TumorTwinLib.terminology import REGION_TERMS, region_of

SHAPE = (12, 14, 10)


def oblique_grid() -> Grid:
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = rotation * [1.0, 1.5, 3.0]
    affine[:3, 3] = [-20.0, 30.0, 7.5]
    return Grid(SHAPE, affine)


def box(grid: Grid, *bounds: slice) -> Image:
    mask = np.zeros(grid.shape, bool)
    mask[bounds] = True
    return Image(mask, grid, "box")


@pytest.fixture
def masks() -> dict[str, Image]:
    """Two overlapping regions, one reaching the corner of the grid, and an empty one."""
    grid = oblique_grid()
    return {
        "whole_tumor": box(grid, slice(0, 9), slice(3, 14), slice(0, 10)),
        "core": box(grid, slice(4, 7), slice(5, 9), slice(2, 6)),
        "edema": box(grid, slice(0, 0)),
    }


def assert_same(found: dict[str, Image], expected: dict[str, Image]) -> None:
    assert list(found) == list(expected)
    for region, mask in expected.items():
        assert found[region].grid.same_as(mask.grid)
        assert np.array_equal(found[region].array, mask.array), region


def test_round_trip_in_the_scene(masks):
    assert_same(masks_from_segmentation(segmentation_from_masks(masks, "tumor")), masks)


def test_round_trip_through_a_file(tmp_path, masks):
    node = segmentation_from_masks(masks, "tumor")
    assert slicer.util.saveNode(node, str(tmp_path / "tumor.seg.nrrd"), {})
    assert_same(masks_from_segmentation(slicer.util.loadSegmentation(tmp_path / "tumor.seg.nrrd", {})), masks)


def test_refilling_a_node_leaves_only_the_new_segments(masks, scene):
    node = segmentation_from_masks(masks, "tumor")
    count = scene.GetNumberOfNodes()
    segmentation_from_masks({"brain": masks["core"]}, "tumor", node=node)
    assert list(masks_from_segmentation(node)) == ["brain"]
    assert scene.GetNumberOfNodes() == count


def test_the_mask_covers_the_same_voxels_in_slicer(masks):
    grid = masks["core"].grid
    volume = node_from_image(Image(np.zeros(grid.shape, np.float32), grid, "head"))
    node = segmentation_from_masks(masks, "tumor", reference_volume=volume)
    kji = slicer.util.arrayFromSegmentBinaryLabelmap(node, "core", volume)
    assert np.array_equal(kji.T > 0, masks["core"].array)
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volume


def test_masks_can_be_asked_for_on_another_grid(masks):
    node = segmentation_from_masks({"core": masks["core"]}, "tumor")
    window = masks["core"].grid.crop((3, 4, 1), (8, 10, 9))
    found = masks_from_segmentation(node, window)["core"]
    assert found.grid.same_as(window)
    assert np.array_equal(found.array, masks["core"].array[3:8, 4:10, 1:9])


@pytest.mark.parametrize("corner", [(-2, -1, -3), (3, 4, 2), (5, -4, 0), (40, 0, 0)])
def test_a_grid_of_the_same_voxels_is_filled_as_resampling_would(masks, corner):
    node = segmentation_from_masks(masks, "tumor")
    grid = oblique_grid().crop(corner, tuple(low + size for low, size in zip(corner, SHAPE, strict=True)))
    for region, mask in masks_from_segmentation(node, grid).items():
        expected = Image(masks[region].array, masks[region].grid).resample(grid, order=0).array > 0
        assert np.array_equal(mask.array, expected), region


def test_a_parent_transform_moves_the_geometry(masks, scene):
    node = segmentation_from_masks(masks, "tumor")
    motion = np.array([[0, -1.0, 0, 10], [1, 0, 0, -4], [0, 0, 1, 2], [0, 0, 0, 1]])
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix_from_affine(motion))
    node.SetAndObserveTransformNodeID(transform.GetID())
    found = masks_from_segmentation(node)
    assert found["core"].grid.ijk_to_ras == pytest.approx(motion @ masks["core"].grid.ijk_to_ras)
    assert np.array_equal(found["core"].array, masks["core"].array)


def test_segments_drawn_in_slicer_are_read(masks, scene):
    """A label volume imported by Slicer's own logic, its segments renamed by hand."""
    grid = masks["core"].grid
    labels = masks["core"].array * 1 + masks["edema"].array * 2
    labels[0, 0, :3] = 2
    volume = node_from_image(Image(labels.astype(np.uint8), grid, "labels"), labelmap=True)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(volume, node)
    node.GetSegmentation().GetNthSegment(0).SetName("Enhancing tumour")
    node.GetSegmentation().GetNthSegment(1).SetName("Oedema")
    found = masks_from_segmentation(node, image_from_node(volume).grid)
    assert np.array_equal(found["enhancing"].array, labels == 1)
    assert np.array_equal(found["edema"].array, labels == 2)


def test_a_closed_surface_is_read_as_voxels(scene):
    """What an RTSTRUCT import gives: a surface and no voxels."""
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(15.0)
    sphere.SetThetaResolution(40)
    sphere.SetPhiResolution(40)
    sphere.Update()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "contour")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "core", [1, 0, 0])
    grid = Grid.from_spacing((40, 40, 40), (1.0, 1.0, 1.0), (-20.0, -20.0, -20.0))
    volume_mm3 = masks_from_segmentation(node, grid)["core"].array.sum()
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.05)
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")  # reading leaves the node as it was


@pytest.mark.parametrize("region", list(REGION_TERMS))
def test_segments_carry_standard_terminology_and_color(masks, region):
    node = segmentation_from_masks({region: masks["core"]}, "tumor")
    segment = node.GetSegmentation().GetNthSegment(0)
    entry = vtk.reference("")
    assert segment.GetTag(segment.GetTerminologyEntryTagName(), entry)
    parts = str(entry).split("~")
    assert len(parts) == 7  # context, category, type, modifier, anatomic context, region, modifier
    assert all(part.count("^") == 2 for index, part in enumerate(parts) if index not in (0, 4))
    assert parts[1].startswith("SCT^")
    assert parts[2].startswith("SCT^")
    assert segment.GetName() == REGION_TERMS[region].name
    assert np.array(segment.GetColor()) * 255 == pytest.approx(REGION_TERMS[region].color)


def test_terminology_entries_parse_in_slicer():
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    assert logic.DeserializeTerminologyEntry(REGION_TERMS["edema"].entry, entry)
    assert entry.GetTypeObject().GetCodeValue() == "79654002"
    assert entry.GetCategoryObject().GetCodeMeaning() == "Morphologically Altered Structure"
    assert entry.GetRegionObject().GetCodeMeaning() == "Brain"


@pytest.mark.parametrize(
    ("name", "terminology", "region"),
    [
        ("Enhancing tumor", "", "enhancing"),
        ("ET", "", "enhancing"),
        ("necrotic_core", "", "necrotic_core"),
        ("Non-Enhancing Tumour", "", "non_enhancing"),
        ("peritumoral edema", "", "edema"),
        ("Segment_1", REGION_TERMS["edema"].entry, "edema"),
        ("Segment_2", REGION_TERMS["necrotic_core"].entry, "necrotic_core"),
        ("Left ventricle", "", "left_ventricle"),
        ("Segment_3", "not a terminology", "segment_3"),
    ],
)
def test_regions_are_found_by_name_then_by_code(name, terminology, region):
    assert region_of(name, terminology) == region


def test_every_region_is_found_by_its_own_segment_name():
    assert {region_of(term.name): region for region, term in REGION_TERMS.items()} == {r: r for r in REGION_TERMS}


def with_two_segments_of_one_region(scene, masks):
    node = segmentation_from_masks({"core": masks["core"], "extra": masks["core"]}, "tumor")
    node.GetSegmentation().GetSegment("extra").SetTag("TumorTwin.Region", "core")
    return node


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda scene, masks: None, "No segmentation is selected"),
        (lambda scene, masks: scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumor"), "tumor has no segments"),
        (lambda scene, masks: scene.AddNewNodeByClass("vtkMRMLModelNode", "tumor"), "tumor is a Model, not a segm"),
        (with_two_segments_of_one_region, "tumor has two segments for core"),
    ],
    ids=["none", "no-segments", "model", "twice"],
)
def test_refusals_name_the_node(scene, masks, make, message):
    with pytest.raises(TumorTwinError, match=message):
        masks_from_segmentation(make(scene, masks))


def test_masks_on_different_grids_are_refused_before_the_scene_changes(scene, masks):
    count = scene.GetNumberOfNodes()
    shifted = Image(masks["core"].array, masks["core"].grid.crop((1, 0, 0), (13, 14, 10)), "shifted")
    with pytest.raises(TumorTwinError, match="Region core of tumor is on another grid"):
        segmentation_from_masks({"whole_tumor": masks["whole_tumor"], "core": shifted}, "tumor")
    with pytest.raises(TumorTwinError, match="at least one region"):
        segmentation_from_masks({}, "tumor")
    assert scene.GetNumberOfNodes() == count
