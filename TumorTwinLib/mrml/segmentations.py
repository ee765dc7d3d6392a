"""Masks by region to segmentation nodes and back, with standard terminology and colors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image, bounding_box
from TumorTwinLib.mrml.volumes import affine_from_matrix, matrix_from_affine, parent_transform
from TumorTwinLib.terminology import region_of, term_for

_REGION_TAG = "TumorTwin.Region"  # our own name for the region, so that renaming a segment loses nothing


def segmentation_from_masks(masks: Mapping[str, Image], name: str, *, reference_volume=None, node=None):
    """A segmentation node with one segment a region, in the order given; regions may overlap.

    Args:
        masks: Boolean images by region name, all on one grid, which becomes the reference geometry.
        name: of a new node.
        reference_volume: the volume the masks were drawn on, if there is one (DICOM export refers to it).
        node: refill this node instead of making one.

    Raises:
        TumorTwinError: no masks, or masks on different grids.
    """
    check_one_grid(masks, name)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
    fill_segmentation(node, masks)
    if reference_volume is not None:
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), reference_volume.GetID())
    return node


def check_one_grid(masks: Mapping[str, Image], name: str) -> None:
    if not masks:
        raise TumorTwinError(f"{name} would be a segmentation without segments: give at least one region.")
    first = next(iter(masks.values()))
    for region, mask in masks.items():
        if not mask.grid.same_as(first.grid):
            raise TumorTwinError(f"Region {region} of {name} is on another grid than {first.name}: resample it first.")


def fill_segmentation(node, masks: Mapping[str, Image]) -> None:
    """Replace all segments of a segmentation node, which need not be in a scene. Masks are on one grid."""
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(_binary_labelmap())
    grid = next(iter(masks.values())).grid
    extent = [bound for size in grid.shape for bound in (0, size - 1)]
    converter = slicer.vtkSegmentationConverter
    segmentation.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(),
        converter.SerializeImageGeometry(matrix_from_affine(grid.ijk_to_ras), extent),
    )
    for region, mask in masks.items():
        add_segment(node, region, mask)


def add_segment(node, region: str, mask: Image) -> None:
    """Add a region to a segmentation that ``fill_segmentation`` filled, on the same grid.

    Where the segmentation has closed surfaces, this segment gets one, too.
    """
    term = term_for(region)
    segment = slicer.vtkSegment()
    segment.SetName(term.name)
    segment.SetColor(*term.color_fraction)
    segment.SetTag(segment.GetTerminologyEntryTagName(), term.entry)
    segment.SetTag(_REGION_TAG, region)
    segment.AddRepresentation(_binary_labelmap(), _oriented_image(mask.array > 0, mask.grid))
    node.GetSegmentation().AddSegment(segment, region)


def masks_from_segmentation(node, grid: Grid | None = None) -> dict[str, Image]:
    """Boolean masks by region name, in world coordinates.

    Args:
        node: a segmentation; linear parent transforms are applied to its geometry.
        grid: where to sample the masks; by default the segmentation's reference geometry.

    Raises:
        TumorTwinError: no node, not a segmentation, no segments, two segments of one region, or a non-linear transform.
    """
    if node is None:
        raise TumorTwinError("No segmentation is selected: choose one.")
    name = node.GetName()
    if not node.IsA("vtkMRMLSegmentationNode"):
        raise TumorTwinError(f"{name} is a {node.GetNodeTagName()}, not a segmentation: choose a segmentation.")
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0:
        raise TumorTwinError(f"{name} has no segments: segment the tumor first.")
    to_world = parent_transform(node)
    cropped: dict[str, Image | None] = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        region = _region_of_segment(segment)
        if region in cropped:
            raise TumorTwinError(f"{name} has two segments for {region}: merge them or rename one.")
        cropped[region] = _segment_image(node, segmentation.GetNthSegmentID(index), segment.GetLabelValue(), to_world)
    grid = grid or _reference_grid(segmentation, to_world) or _first_grid(cropped, name)
    return {region: _on_grid(image, grid, f"{name} {region}") for region, image in cropped.items()}


def regions_of_segments(node) -> list[str]:
    """Our region name of each segment, in their order."""
    segmentation = node.GetSegmentation()
    return [
        _region_of_segment(segmentation.GetNthSegment(index)) for index in range(segmentation.GetNumberOfSegments())
    ]


def _binary_labelmap() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _region_of_segment(segment) -> str:
    region, terminology = vtk.reference(""), vtk.reference("")
    if segment.GetTag(_REGION_TAG, region):
        return str(region)
    segment.GetTag(segment.GetTerminologyEntryTagName(), terminology)
    return region_of(segment.GetName(), str(terminology))


def _oriented_image(mask: np.ndarray, grid: Grid):
    """Only the mask's bounding box is stored; the extent says where in the grid it is."""
    lower, upper = bounding_box(mask) if mask.any() else ((0, 0, 0), mask.shape)
    box = mask[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
    image = slicer.vtkOrientedImageData()
    image.SetExtent([bound for low, high in zip(lower, upper, strict=True) for bound in (low, high - 1)])
    scalars = numpy_support.numpy_to_vtk(box.astype(np.uint8).ravel(order="F"), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    image.SetImageToWorldMatrix(matrix_from_affine(grid.ijk_to_ras))
    return image


def _grid_of(image, to_world: np.ndarray) -> Grid:
    """The grid of an oriented image's extent."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extent = image.GetExtent()
    whole = Grid((1, 1, 1), to_world @ affine_from_matrix(matrix))
    return whole.crop(extent[0::2], tuple(last + 1 for last in extent[1::2]))


def _segment_image(node, segment_id: str, label: int, to_world: np.ndarray) -> Image | None:
    image = slicer.vtkOrientedImageData()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    in_own_coordinates = False  # resampling through a parent transform would blur; the grid takes the transform instead
    found = logic.GetSegmentBinaryLabelmapRepresentation(node, segment_id, image, in_own_coordinates)
    if not found or image.IsEmpty():
        return None
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    array = flat.reshape(image.GetDimensions(), order="F") == label  # segments that do not overlap share one labelmap
    return Image(array, _grid_of(image, to_world), segment_id)


def _reference_grid(segmentation, to_world: np.ndarray) -> Grid | None:
    converter = slicer.vtkSegmentationConverter
    text = segmentation.GetConversionParameter(converter.GetReferenceImageGeometryParameterName())
    image = slicer.vtkOrientedImageData()
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return None
    return _grid_of(image, to_world)


def _first_grid(images: Mapping[str, Image | None], name: str) -> Grid:
    for image in images.values():
        if image is not None:
            return image.grid
    raise TumorTwinError(f"All segments of {name} are empty: segment the tumor first.")


def _on_grid(image: Image | None, grid: Grid, name: str) -> Image:
    if image is None:
        return Image(np.zeros(grid.shape, bool), grid, name)
    pasted = _pasted(image, grid, name)
    if pasted is not None:
        return pasted
    # One voxel of background around the box, so that rounding at its faces cannot drop a layer.
    padded = Image(np.pad(image.array, 1), image.grid.pad(1), name)
    return Image(padded.resample(grid, order=0).array > 0, grid, name)


def _pasted(image: Image, grid: Grid, name: str) -> Image | None:
    """The mask of a box of the grid's own voxels in the whole grid, which spares resampling; None for other boxes."""
    first_voxel = np.linalg.solve(grid.ijk_to_ras, image.grid.ijk_to_ras[:, 3])[:3]
    lower = np.round(first_voxel).astype(int)
    upper = lower + image.grid.shape
    if not grid.crop(tuple(lower), tuple(upper)).same_as(image.grid):
        return None
    whole = np.zeros(grid.shape, bool)
    inside = [slice(max(low, 0), max(high, 0)) for low, high in zip(lower, upper, strict=True)]
    target = whole[tuple(inside)]
    begin = np.maximum(-lower, 0)
    source = tuple(slice(start, start + size) for start, size in zip(begin, target.shape, strict=True))
    target[:] = image.array[source] > 0
    return Image(whole, grid, name)
