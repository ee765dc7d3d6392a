"""Scene files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import slicer

from TumorTwinLib.errors import TumorTwinError


def save_scene(path: str | Path) -> Path:
    """Write the scene as a Slicer bundle. A file already there is replaced only by a complete one.

    Args:
        path: ending in ``.mrb``, in a folder that exists.

    Raises:
        TumorTwinError: another ending, a missing folder, or the bundle could not be written; an old file is kept.
    """
    path = Path(path)
    if path.suffix.lower() != ".mrb":
        raise TumorTwinError(f"A scene bundle's name ends in .mrb, not {path.name}: rename it.")
    if not path.parent.is_dir():
        raise TumorTwinError(f"The folder {path.parent} does not exist: make it first.")
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f".{path.stem}-", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise TumorTwinError(
            f"{path.parent} cannot be written to ({error.strerror}): choose another folder."
        ) from error
    try:
        # The bundle's inner folder takes the file's name, so the name is right from the start.
        bundle = unfinished / path.name
        written = slicer.util.saveScene(str(bundle), {})
        if not written or not bundle.is_file() or bundle.stat().st_size == 0:
            raise TumorTwinError(f"The scene could not be saved to {path}: check the free space on that disk.")
        os.replace(bundle, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def load_scene(path: str | Path, *, clear: bool = True) -> None:
    """Read a scene bundle, by default in place of what is open.

    Raises:
        TumorTwinError: the file is missing or is not a scene; what is open then stays.
    """
    path = Path(path)
    if not path.is_file():
        raise TumorTwinError(f"The scene {path} does not exist: check the path.")
    if not _is_scene_bundle(path):  # Slicer would clear the scene before it found out
        raise TumorTwinError(f"{path} could not be read as a scene: it may be damaged.")
    try:
        slicer.util.loadScene(str(path), {"clear": clear})
    except RuntimeError as error:
        raise TumorTwinError(f"{path} could not be read as a scene: it may be damaged.") from error


def _is_scene_bundle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as bundle:
            return bundle.testzip() is None and any(name.endswith(".mrml") for name in bundle.namelist())
    except zipfile.BadZipFile:
        return False
