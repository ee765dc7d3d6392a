"""A picture put together from rendered panels, text and color bars, and written as PNG."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import vtk
from vtk.util import numpy_support

BACKGROUND = (22, 24, 28)
TEXT = (232, 234, 237)
QUIET_TEXT = (154, 160, 166)


def fraction(color: tuple[int, int, int]) -> tuple[float, float, float]:
    """A color as VTK takes it, 0 to 1."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255


class Canvas:
    """An RGB picture with its origin at the top left; sizes are pixels."""

    def __init__(self, width: int, height: int, background: tuple[int, int, int] = BACKGROUND) -> None:
        self.pixels = np.empty((height, width, 3), np.uint8)
        self.pixels[:] = background

    def paste(self, picture: np.ndarray, left: int, top: int) -> None:
        """Put an (h, w, 3) picture, or an (h, w, 4) one with opacity, cut off at the edges."""
        height, width = self.pixels.shape[:2]
        rows = slice(max(top, 0), min(top + picture.shape[0], height))
        columns = slice(max(left, 0), min(left + picture.shape[1], width))
        part = picture[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        if part.shape[2] == 3:
            self.pixels[rows, columns] = part
            return
        opacity = part[..., 3:].astype(np.float32) / 255
        below = self.pixels[rows, columns]
        self.pixels[rows, columns] = np.round(part[..., :3] * opacity + below * (1 - opacity)).astype(np.uint8)

    def fill(self, left: int, top: int, width: int, height: int, color: tuple[int, int, int]) -> None:
        self.pixels[top : top + height, left : left + width] = color

    def text(
        self, text: str, left: int, top: int, *, size: int = 16, color=TEXT, bold=False, anchor="left", upwards=False
    ) -> None:
        """Write one line; ``anchor`` says which part of it is at ``left`` (at ``top`` when it runs upwards)."""
        if not text:
            return
        picture = _text_picture(text, size, color, bold)
        shift = {"left": 0, "center": picture.shape[1] // 2, "right": picture.shape[1]}[anchor]
        if upwards:
            self.paste(np.rot90(picture), left, top - shift)
        else:
            self.paste(picture, left - shift, top)

    @staticmethod
    def text_width(text: str, size: int, *, bold: bool = False) -> int:
        return _text_picture(text, size, TEXT, bold).shape[1]

    def disk(self, x: int, y: int, radius: int, color: tuple[int, int, int]) -> None:
        """A filled circle with a smooth edge."""
        offset = np.arange(-radius - 1, radius + 2)
        distance = np.hypot(*np.meshgrid(offset, offset))
        opacity = np.clip(radius + 0.5 - distance, 0, 1) * 255
        spot = np.concatenate([np.broadcast_to(color, (*distance.shape, 3)), opacity[..., None]], axis=2)
        self.paste(spot.astype(np.uint8), x - radius - 1, y - radius - 1)

    def color_bar(self, colors: np.ndarray, left: int, top: int, width: int, height: int) -> None:
        """Draw an (n, 4) color table (0 to 1), lowest at the bottom, as it looks over a mid gray."""
        position = np.linspace(len(colors) - 1, 0, height).round().astype(int)
        shown = colors[position, :3] * colors[position, 3:] + 0.35 * (1 - colors[position, 3:])
        self.pixels[top : top + height, left : left + width] = np.round(shown * 255)[:, None, :]

    def write(self, path: str | Path) -> Path:
        """Write a PNG, whole or not at all."""
        path = Path(path)
        unfinished = path.with_name(f".{path.name}.part")
        image = vtk.vtkImageData()
        height, width = self.pixels.shape[:2]
        image.SetDimensions(width, height, 1)
        flipped = np.ascontiguousarray(self.pixels[::-1]).reshape(-1, 3)
        image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flipped, deep=True))
        writer = vtk.vtkPNGWriter()
        writer.SetInputData(image)
        writer.WriteToMemoryOn()
        writer.Write()
        unfinished.write_bytes(numpy_support.vtk_to_numpy(writer.GetResult()).tobytes())
        os.replace(unfinished, path)
        return path


def _text_picture(text: str, size: int, color: tuple[int, int, int], bold: bool) -> np.ndarray:
    """(h, w, 4) of one line; every line of one size has the same height, so that baselines agree."""
    style = vtk.vtkTextProperty()
    style.SetFontFamilyToArial()
    style.SetBold(bold)
    style.SetFontSize(size)
    style.SetColor(*fraction(color))
    image, used = vtk.vtkImageData(), [0, 0]
    vtk.vtkTextRenderer.GetInstance().RenderString(style, text, image, used, 72)
    width, height, _ = image.GetDimensions()
    pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 4)
    return pixels[: used[1], : used[0]][::-1]
