"""Pictures of a forecast: three slices with the density over the anatomy, and a 3D view."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import slicer

from TumorTwinLib.geometry import Image, bounding_box
from TumorTwinLib.mrml.canvas import BACKGROUND, QUIET_TEXT, Canvas, fraction
from TumorTwinLib.mrml.colors import density_colors
from TumorTwinLib.mrml.graphics import require_graphics
from TumorTwinLib.mrml.segmentations import masks_from_segmentation
from TumorTwinLib.mrml.views import SliceView, ThreeDView, only_visible
from TumorTwinLib.mrml.volumes import image_from_node, node_from_image

DENSITY_OPACITY = 0.6
DENSITY_SCALE = ("Tumor cell density", "fraction of capacity")
_PANEL = (460, 540)
_PANEL_3D = (760, 680)
_GAP = 8
_HEADER = 78
_LEGEND = 200
# Left, right, top, bottom of each slice as radiology shows it.
_EDGES = {
    "Axial": ("R", "L", "A", "P"),
    "Coronal": ("R", "L", "S", "I"),
    "Sagittal": ("A", "P", "S", "I"),
}
# RAS axis the slice is moved along, and what its two directions are called.
_OFFSETS = {"Axial": (2, "S", "I"), "Coronal": (1, "A", "P"), "Sagittal": (0, "R", "L")}
_SCALE_BAR_MM = 50
_FINE_MM = 1.0


def render_slices(
    path: str | Path,
    *,
    anatomy,
    density=None,
    regions=None,
    title: str,
    subtitle: str = "",
    center_mm=None,
    scale: tuple[str, str] = DENSITY_SCALE,
) -> Path:
    """Three slices through the tumor: anatomy, density over it, outlines of the regions, legend, scale bar.

    Args:
        path: of the PNG.
        anatomy: volume node behind everything; its middle is the middle of the picture.
        density: volume node drawn over it in its own colors.
        regions: segmentation node whose outlines are drawn as its display node says.
        title, subtitle: who and when.
        center_mm: (3,) RAS position the slices go through; by default the center of mass of the density.
        scale: what ``density`` shows, and what 1 is of it.

    Raises:
        TumorTwinError: pictures cannot be made on this machine.
    """
    require_graphics()
    middle_mm, extent_mm = occupied_box(image_from_node(anatomy))
    if center_mm is None:
        center_mm = middle_mm if density is None else center_of_mass(density)
    width, height = _PANEL
    # One scale for all three, so that sizes can be compared between them.
    width_mm = 1.16 * max(extent_mm[0], extent_mm[1], extent_mm[1:].max() * width / height)
    canvas = _page(3 * (width + _GAP), title, subtitle)
    for number, (orientation, (axis, _, _)) in enumerate(_OFFSETS.items()):
        view_center = middle_mm.copy()
        view_center[axis] = center_mm[axis]
        with SliceView(orientation, _PANEL) as view, only_visible([regions] if regions else []):
            view.show(anatomy, density, opacity=DENSITY_OPACITY, center_mm=view_center, width_mm=width_mm)
            canvas.paste(view.render(), number * (width + _GAP), _HEADER)
        _annotate(canvas, orientation, number * (width + _GAP), center_mm[axis], width_mm)
    _draw_legend(canvas, 3 * (width + _GAP), None if density is None else scale, regions, "Outlines")
    return canvas.write(path)


def render_3d(
    path: str | Path, *, anatomy, brain=None, density=None, regions=None, title: str, subtitle: str = "", center_mm=None
) -> Path:
    """The tumor's surfaces in the brain, with an axial and a coronal plane of anatomy and density through it.

    Args:
        path: of the PNG.
        anatomy, density, regions, title, subtitle, center_mm: as in `render_slices`.
        brain: segmentation node with a brain segment: drawn as a shell, and the planes show only what is inside it.

    Raises:
        TumorTwinError: pictures cannot be made on this machine.
    """
    require_graphics()
    image = image_from_node(anatomy)
    if center_mm is None:
        center_mm = occupied_box(image)[0] if density is None else center_of_mass(density)
    brain_mask = masks_from_segmentation(brain, image.grid)["brain"] if brain else None
    middle_mm, extent_mm = occupied_box(brain_mask or image)
    # Look from the side the tumor is on, so that no brain is in the way.
    right, front = (1.0 if center_mm[axis] >= middle_mm[axis] else -1.0 for axis in (0, 1))
    canvas = _page(_PANEL_3D[0], title, subtitle, _PANEL_3D[1])
    with contextlib.ExitStack() as stack:
        planes = stack.enter_context(_planes_volume(anatomy, image, brain_mask))
        stack.enter_context(only_visible([node for node in (brain, regions) if node]))
        for orientation in ("Axial", "Coronal"):
            plane = stack.enter_context(SliceView(orientation, (256, 256)))
            plane.show(planes, density, opacity=DENSITY_OPACITY, center_mm=center_mm, width_mm=2.2 * extent_mm.max())
            plane.show_plane_in_3d()
        view = stack.enter_context(ThreeDView(_PANEL_3D, fraction(BACKGROUND)))
        view.look(
            from_direction=(right, 0.9 * front, 0.55),
            up=(0, 0, 1),
            center_mm=middle_mm,
            height_mm=1.08 * extent_mm.max(),
        )
        canvas.paste(view.render(), 0, _HEADER)
    _draw_legend(canvas, _PANEL_3D[0], None if density is None else DENSITY_SCALE, regions, "Surfaces")
    return canvas.write(path)


@contextlib.contextmanager
def _planes_volume(anatomy, image: Image, brain_mask: Image | None) -> Iterator:
    """A passing copy of the anatomy that is transparent outside the brain; the anatomy itself without a mask."""
    if brain_mask is None:
        yield anatomy
        return
    if max(image.grid.spacing_mm) > _FINE_MM:  # voxels would show as steps along the edge of the brain
        image = image.resample(image.grid.with_spacing(_FINE_MM))
        brain_mask = Image(brain_mask.resample(image.grid).array > 0.5, image.grid, brain_mask.name)
    darkest, span = float(image.array.min()), float(np.ptp(image.array)) or 1.0
    outside = darkest - 20 * span  # so dark that an interpolated edge is transparent too, not black
    masked = np.where(brain_mask.array, image.array, outside).astype(np.float32)
    node = node_from_image(Image(masked, image.grid, "planes"))
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(anatomy.GetDisplayNode().GetWindow(), anatomy.GetDisplayNode().GetLevel())
    display.SetThreshold(darkest - 0.02 * span, darkest + 2 * span)
    display.ApplyThresholdOn()
    try:
        yield node
    finally:
        slicer.mrmlScene.RemoveNode(display)
        slicer.mrmlScene.RemoveNode(node)


def _page(width: int, title: str, subtitle: str, height: int = _PANEL[1]) -> Canvas:
    canvas = Canvas(width + _LEGEND, _HEADER + height + _GAP)
    canvas.text(title, 20, 14, size=24, bold=True)
    canvas.text(subtitle, 20, 46, size=17, color=QUIET_TEXT)
    return canvas


def _annotate(canvas: Canvas, orientation: str, left: int, offset_mm: float, width_mm: float) -> None:
    width, height = _PANEL
    edges = _EDGES[orientation]
    middle = _HEADER + height // 2 - 10
    canvas.text(edges[0], left + 10, middle, size=18, color=QUIET_TEXT)
    canvas.text(edges[1], left + width - 10, middle, size=18, color=QUIET_TEXT, anchor="right")
    canvas.text(edges[2], left + width // 2, _HEADER + 8, size=18, color=QUIET_TEXT, anchor="center")
    canvas.text(edges[3], left + width // 2, _HEADER + height - 28, size=18, color=QUIET_TEXT, anchor="center")
    _, positive, negative = _OFFSETS[orientation]
    side = positive if offset_mm >= 0 else negative
    canvas.text(f"{orientation}  {side} {abs(offset_mm):.0f} mm", left + 10, _HEADER + 8, size=16)
    if orientation == "Axial":
        bar = round(_SCALE_BAR_MM / width_mm * width)
        canvas.fill(left + 12, _HEADER + height - 14, bar, 3, (232, 234, 237))
        canvas.text(f"{_SCALE_BAR_MM} mm", left + 12, _HEADER + height - 38, size=15)


def _draw_legend(canvas: Canvas, left: int, scale: tuple[str, str] | None, regions, heading: str) -> None:
    top = _HEADER
    if scale is not None:
        height = 300
        quantity, of = scale
        canvas.text(quantity, left + 12, top, size=16, bold=True)
        canvas.text(of, left + 12, top + 22, size=14, color=QUIET_TEXT)
        top += 56
        canvas.color_bar(density_colors(), left + 12, top, 26, height)
        for value in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = top + round((1 - value) * (height - 1))
            canvas.fill(left + 38, y, 6, 1, (154, 160, 166))
            canvas.text(f"{value:.2f}", left + 50, y - 8, size=15)
        top += height + 36
    if regions is None:
        return
    canvas.text(heading, left + 12, top, size=16, bold=True)
    segmentation = regions.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        y = top + 30 + 26 * number
        color = tuple(round(255 * channel) for channel in segment.GetColor())
        canvas.fill(left + 12, y + 8, 26, 4, color)
        canvas.text(segment.GetName(), left + 50, y, size=15)


def occupied_box(image) -> tuple[np.ndarray, np.ndarray]:
    """Middle and extent (mm, RAS) of the voxels that are not dark background."""
    is_mask = image.array.dtype == bool
    bright = image.array if is_mask else image.array > np.percentile(image.array, 1) + 0.1 * np.ptp(image.array)
    lower, upper = bounding_box(bright)
    corners = np.array(
        [[i, j, k] for i in (lower[0], upper[0]) for j in (lower[1], upper[1]) for k in (lower[2], upper[2])]
    )
    positions = image.grid.ras_mm(corners - 0.5)
    return (positions.min(axis=0) + positions.max(axis=0)) / 2, np.ptp(positions, axis=0)


def center_of_mass(density) -> np.ndarray:
    image = image_from_node(density)
    weights = image.array.astype(np.float64)
    indices = np.array([(weights.sum(axis=tuple(b for b in range(3) if b != a)) * np.arange(weights.shape[a])).sum()
                        for a in range(3)]) / weights.sum()  # fmt: skip
    return image.grid.ras_mm(indices)
