"""Files of a job folder: written whole or not at all, and never outside the folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np

from TumorTwinLib.errors import TumorTwinError

PART = ".part"  # what an unfinished file ends in
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


def inside(folder: Path, name: object) -> Path:
    """The file of that relative name, refusing names that lead out of the folder.

    Raises:
        TumorTwinError: the name is absolute, climbs, holds characters that are not safe, or is a link out.
    """
    parts = name.split("/") if isinstance(name, str) else []
    path = folder.joinpath(*parts) if parts and all(_PLAIN_NAME.fullmatch(part) for part in parts) else None
    if path is None or not path.resolve().is_relative_to(folder.resolve()):
        raise TumorTwinError(f"{folder} names the file {name!r}, which is not inside it: use a folder you trust.")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write to the file and replace it in one step: a reader, or a restart after a crash, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        with unfinished.open("wb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as file:
        file.write((text + "\n").encode("utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        TumorTwinError: the file is absent, cannot be read, is no JSON or no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TumorTwinError(f"{path} does not exist: choose the folder of a job.") from error
    except OSError as error:
        raise TumorTwinError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    except ValueError as error:
        raise TumorTwinError(f"{path} is no valid JSON: restore the file or save the job again.") from error
    if not isinstance(content, dict):
        raise TumorTwinError(f"{path} holds no object: restore the file or save the job again.")
    return content


def write_array(path: Path, array: np.ndarray) -> None:
    """A ``.npy`` file, which cannot hold objects."""
    with replacing(path) as file:
        # Through write alone: to a file as such NumPy writes by itself, and then does not say why it could not.
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


def read_array(path: Path) -> np.ndarray:
    """The array in a ``.npy`` file.

    Raises:
        TumorTwinError: the file is absent, cut short, or holds objects.
    """
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise TumorTwinError(f"{path} does not exist although the job names it: save or run the job again.") from error
    except (OSError, ValueError, EOFError) as error:
        raise TumorTwinError(f"{path} is damaged: save or run the job again.") from error
