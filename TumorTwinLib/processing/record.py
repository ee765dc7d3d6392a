"""What was made from what: steps that are done once, their files, and the manifest that says so.

A step is named by what it makes (``"image 2024-03-05 T1CE"``) and known by the fingerprint of all it follows from. It
is done again only when that fingerprint is another, or when a file of it is missing or was changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.version import VERSION
from TumorTwinLib.volume_files import read_volume, write_volume

MANIFEST = "manifest.json"
_SCHEMA = 1
_PROGRAM = "TumorTwin imaging"
_PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom", "torch", "monai", "nnunetv2", "deepbet")


@dataclass(frozen=True)
class Made:
    """What a step makes.

    Args:
        files: by path relative to the folder: an image, or a function that writes the file.
        values: numbers and texts that later steps or the user need; they go into the manifest.
        notices: sentences for the user.
    """

    files: Mapping[str, Image | Callable[[Path], None]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A step that is done: its fingerprint, SHA-256 by file, and the rest as in ``Made``."""

    fingerprint: str
    files: Mapping[str, str]
    values: Mapping[str, Any]
    notices: tuple[str, ...]
    seconds: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "notices", tuple(self.notices))


class Record:
    """The steps of one output folder.

    Args:
        folder: made if it is not there.
        before_step: called with a step's name before it is computed; it may raise to stop the work.

    Raises:
        TumorTwinError: the folder holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, before_step: Callable[[str], None] = lambda name: None) -> None:
        self.folder = folder
        self._before_step = before_step
        self._steps = _read_steps(folder)
        self._used: dict[str, Step] = {}
        self._about: dict[str, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TumorTwinError(f"{folder} cannot be written ({error.strerror}): choose another folder.") from error
        self._save(complete=False)  # so that the folder is known for ours even if the first step is never finished

    def step(self, name: str, follows_from: Mapping[str, Any], make: Callable[[], Made]) -> Step:
        """The step of that name, computed unless it is there already."""
        wanted = fingerprint(name, VERSION, follows_from)
        known = self._steps.get(name)
        if known is None or known.fingerprint != wanted or not self._whole(known):
            self._before_step(name)
            began = time.monotonic()
            made = make()
            files = {path: self._write(path, content) for path, content in made.files.items()}
            if known is not None:
                self._remove(set(known.files) - set(files))
            known = Step(wanted, files, dict(made.values), made.notices, round(time.monotonic() - began, 2))
            self._steps[name] = known
            self._save(complete=False)
        self._used[name] = known
        return known

    def image(self, path: str) -> Image:
        """An image that a step has written."""
        return read_volume(self.folder / path)

    def known(self, name: str) -> Step | None:
        """The step as an earlier run left it."""
        return self._steps.get(name)

    def changed_by_user(self, path: str) -> str | None:
        """SHA-256 of a file that someone has changed since it was written here; None for any other."""
        recorded = next((step.files[path] for step in self._steps.values() if path in step.files), None)
        file = self.folder / path
        if recorded is None or not file.is_file():
            return None
        now = file_hash(file)
        return None if now == recorded else now

    def describe(self, **about: Any) -> None:
        """Entries of the manifest beside the steps."""
        self._about |= about

    def finish(self) -> None:
        """Forget the steps that this run did not need, remove their files, and call the folder complete."""
        kept = {path for step in self._used.values() for path in step.files}
        self._remove({path for step in self._steps.values() for path in step.files} - kept)
        self._steps = dict(self._used)
        self._save(complete=True)

    @property
    def notices(self) -> tuple[str, ...]:
        """Of all steps of this run, each once."""
        return tuple(dict.fromkeys(sentence for step in self._used.values() for sentence in step.notices))

    def _whole(self, step: Step) -> bool:
        return all(
            (self.folder / path).is_file() and file_hash(self.folder / path) == known
            for path, known in step.files.items()
        )

    def _write(self, path: str, content: Image | Callable[[Path], None]) -> str:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Image):
            write_volume(content, file)
        else:
            content(file)
        return file_hash(file)

    def _remove(self, paths: set[str]) -> None:
        for path in sorted(paths):
            file = self.folder / path
            file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other files are in it
                file.parent.rmdir()

    def _save(self, *, complete: bool) -> None:
        steps = {name: asdict(step) for name, step in self._steps.items()}
        content = {
            "program": _PROGRAM,
            "schema_version": _SCHEMA,
            "complete": complete,
            "versions": {"TumorTwin": VERSION, **dict(_versions())},
            **self._about,
            "steps": steps,
        }
        write_text(self.folder / MANIFEST, json.dumps(content, indent=1) + "\n")


def fingerprint(*parts: Any) -> str:
    """A short name of everything given, the same for the same content."""
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def file_hash(*files: Path) -> str:
    """SHA-256 of the contents of files, in any order of theirs."""
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """The file appears whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="")
        os.replace(unfinished, path)
    except OSError as error:
        raise TumorTwinError(f"{path} cannot be written: check that its folder is writable and not full.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be part of a fingerprint")


def _read_steps(folder: Path) -> dict[str, Step]:
    """Steps of an earlier run; a manifest that is damaged counts as absent."""
    if not folder.exists():
        return {}
    path = folder / MANIFEST
    if not path.is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise TumorTwinError(f"{folder} holds files that are not TumorTwin's: give a new or empty folder.")
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["program"] != _PROGRAM:
            raise TumorTwinError(f"{folder} holds another program's {MANIFEST}: give a new or empty folder.")
        return {name: Step(**step) for name, step in content["steps"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield package, importlib.metadata.version(package)
