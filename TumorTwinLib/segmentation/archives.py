"""Taking files out of a .zip from elsewhere, which may be hostile: nothing lands outside, nothing is unbounded."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from TumorTwinLib.errors import CancelledError, TumorTwinError

_MOST_ENTRIES = 10_000
_MOST_BYTES = 8 * 2**30  # of all that is taken out; the largest networks have 1 to 2 GB
_MOST_EXPANSION = 200  # weights hardly compress; more than this is an archive made to fill the disk
_CHUNK = 2**20


def extract(
    archive: Path,
    folder: Path,
    wanted: Callable[[str], bool],
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Path, ...]:
    """Write the wanted files of a ``.zip`` into a folder, under their own relative paths.

    Args:
        folder: which exists; files in it are replaced.
        wanted: is a path inside the archive, with ``/``, to be taken?

    Raises:
        TumorTwinError: the archive is damaged, holds a path that leads outside or a link, or is too large.
        CancelledError: ``cancelled`` said so.
    """
    taken: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [entry for entry in checked_entries(file, archive) if wanted(entry.filename)]
            for entry in entries:
                target = folder.joinpath(*PurePosixPath(entry.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(file, entry, target, archive, cancelled)
                taken.append(target)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise TumorTwinError(f"{archive} is no whole .zip archive: download or copy it again.") from error
    except RuntimeError as error:  # zipfile's word for a password
        raise TumorTwinError(f"{archive} is protected by a password: unpack it and import the folder.") from error
    return tuple(taken)


def checked_entries(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The files of the archive, once every one of them is known to be harmless.

    All are judged, also those that are not wanted: an archive with one bad path is not to be trusted with the others.
    """
    entries = file.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise TumorTwinError(f"{archive} holds {len(entries)} files, far more than a model: use an archive you trust.")
    total = 0
    for entry in entries:
        if _leads_outside(entry.filename) or _is_special(entry):
            raise TumorTwinError(
                f"{archive} holds {entry.filename!r}, which leads outside its folder: use an archive you trust."
            )
        total += entry.file_size
        if total > _MOST_BYTES or entry.file_size > _MOST_EXPANSION * max(entry.compress_size, 1) + _CHUNK:
            raise TumorTwinError(f"{archive} would unpack to far more than a model: use an archive you trust.")
    return [entry for entry in entries if not entry.is_dir()]


def _leads_outside(name: str) -> bool:
    parts = name.rstrip("/").split("/")
    # Backslashes, colons and control characters mean other things on Windows than here.
    return any(part in {"", ".", ".."} or any(c in '\\:<>"|?*' or ord(c) < 32 for c in part) for part in parts)


def _is_special(entry: zipfile.ZipInfo) -> bool:
    """A link or a device: what Unix noted of the file's kind, where it did."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind not in {0, stat.S_IFREG, stat.S_IFDIR}


def _write(
    file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, archive: Path, cancelled: Callable[[], bool]
) -> None:
    left = entry.file_size  # zipfile itself reads no more than this, and checks the CRC at the end
    with file.open(entry) as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            if cancelled():
                raise CancelledError(f"{archive} was not unpacked because you cancelled.")
            left -= len(chunk)
            if left < 0:
                raise TumorTwinError(f"{archive} unpacks to more than it says: use an archive you trust.")
            copy.write(chunk)
