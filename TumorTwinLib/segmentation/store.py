"""The models there are on this computer: those that ship, and those the user downloaded or imported.

``Resources/Models`` holds the descriptions of ours. The user's folder holds one folder a model: its weights,
``installed.json`` with their checksums, and ``model.json`` where the model is not one of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.segmentation import archives
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.description_file import read_description, read_json, write_description
from TumorTwinLib.segmentation.download import Checksum, OnProgress, download
from TumorTwinLib.segmentation.folders import shipped_models_folder, user_models_folder
from TumorTwinLib.segmentation.importing import check_fit, copy_file, describe, ending_in, model_folder, weights_of
from TumorTwinLib.segmentation.weights import file_sha256

OFFLINE_VARIABLE = "TUMORTWIN_OFFLINE"  # any value: nothing is ever downloaded
_DESCRIPTION, _INSTALLED, _DOWNLOAD = "model.json", "installed.json", "download"


@dataclass(frozen=True)
class DownloadOffer:
    """What the user consents to: nothing has been asked of the network yet.

    ``size_bytes`` is about; None where it is not published.
    """

    title: str
    url: str
    size_bytes: int | None
    licence: str
    licence_url: str | None
    folder: Path


Consent = Callable[[DownloadOffer], bool]


class ModelStore:
    """Finds, installs, imports and removes models.

    Args:
        user_folder: by default ``user_models_folder()``.
        shipped_folder: by default ``shipped_models_folder()``.
    """

    def __init__(self, user_folder: Path | None = None, shipped_folder: Path | None = None) -> None:
        self.user_folder = user_models_folder() if user_folder is None else user_folder
        self.shipped_folder = shipped_models_folder() if shipped_folder is None else shipped_folder

    # What there is

    def descriptions(self) -> dict[str, ModelDescription]:
        """Every model by name, ours first. A description of the user's that is damaged is left out."""
        ours = {file.stem: read_description(file) for file in sorted(self.shipped_folder.glob("*.json"))}
        users = {}
        for file in sorted(self.user_folder.glob(f"[!.]*/{_DESCRIPTION}")):
            try:
                users[file.parent.name] = replace(read_description(file), name=file.parent.name)
            except TumorTwinError:
                continue  # asked for by name it says what is wrong; the other models must not suffer
        return {**ours, **users}

    def description(self, name: str) -> ModelDescription:
        """The model of that name.

        Raises:
            TumorTwinError: there is none, or its description is damaged.
        """
        found = self.descriptions()
        if name in found:
            return found[name]
        file = self.user_folder / name / _DESCRIPTION
        if Path(name).name == name and file.is_file():
            return read_description(file)
        raise TumorTwinError(f"There is no segmentation model {name!r}: choose one of {', '.join(found)}.")

    def folder(self, description: ModelDescription) -> Path:
        """Where the model's files are or will be."""
        shipped = description.weights.shipped
        return self.shipped_folder if shipped else self.user_folder / description.name

    def is_installed(self, description: ModelDescription) -> bool:
        return (self.folder(description) / description.weights.file).is_file()

    def weights_file(self, description: ModelDescription) -> Path:
        """The weights, once their checksum is found right.

        Raises:
            TumorTwinError: they are not here or were changed since they were installed.
        """
        folder = self.folder(description)
        path = folder / description.weights.file
        if not path.is_file():
            raise TumorTwinError(f"The weights of {description.title} are not installed: download or import them.")
        expected = description.weights.sha256
        if not description.weights.shipped:
            expected = expected or self._recorded(folder).get(path.name)
            if expected is None:
                raise TumorTwinError(f"{folder} was not installed by TumorTwin: import {path} instead.")
        if expected is not None and file_sha256(path) != expected:
            raise TumorTwinError(f"{path} is not the file that was installed (SHA-256 differs): install it again.")
        return path

    # Getting and removing models

    def install(
        self,
        name: str,
        consent: Consent,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[str, ...]:
        """Download a model unless it is here.

        Args:
            consent: asked once, before anything is sent; False ends it.
            on_progress: bytes that have arrived, bytes in all.

        Returns:
            Sentences the user should see.

        Raises:
            TumorTwinError: there is nothing to download, or it failed.
            CancelledError: no consent, or ``cancelled`` said so. What arrived is kept for the next time.
        """
        description = self.description(name)
        weights = description.weights
        if self.is_installed(description):
            return ()
        if weights.url is None:
            raise TumorTwinError(f"{description.title} cannot be downloaded: import your own {weights.file}.")
        if os.environ.get(OFFLINE_VARIABLE):
            raise TumorTwinError(f"{OFFLINE_VARIABLE} is set, so nothing is downloaded: import {weights.file} instead.")
        folder = self.folder(description)
        offer = DownloadOffer(
            description.title, weights.url, weights.size_bytes, weights.licence, weights.licence_url, folder
        )
        if not consent(offer):
            raise CancelledError(f"{description.title} was not downloaded because you declined.")
        arrived = folder / _DOWNLOAD
        download(weights.url, arrived, checksum=_published(description), on_progress=on_progress, cancelled=cancelled)
        try:
            with self._staging() as staging:
                if weights.archive_members:
                    self._take_members(arrived, description, staging, cancelled)
                else:
                    os.replace(arrived, staging / weights.file)
                self._place(staging, description, weights.url)
        finally:
            arrived.unlink(missing_ok=True)
        if _published(description) is None:
            recorded = self._recorded(folder)[weights.file]
            return (
                f"Nobody publishes a checksum of {description.title}: the SHA-256 of this download, {recorded}, was "
                "recorded, and later changes will be noticed.",
            )
        return ()

    def import_weights(self, name: str, file: Path) -> None:
        """Take weights the user has: a file of ``torch.save``, for the model of that name.

        Raises:
            TumorTwinError: they do not fit the model's network, or hold code.
        """
        description = self.description(name)
        if description.weights.shipped:
            raise TumorTwinError(f"{description.title} comes with TumorTwin: import your weights under another model.")
        with self._staging() as staging:
            copy_file(file, staging / description.weights.file)
            beside = [Path(member).name for member in description.weights.archive_members]
            for other in beside:
                if other != description.weights.file:
                    copy_file(file.with_name(other), staging / other)
            check_fit(description, staging)
            self._place(staging, description, str(file))

    def import_model(self, path: Path, name: str | None = None, modalities: Sequence[str] = ()) -> ModelDescription:
        """Take a model the user has: a folder or ``.zip`` of a MONAI bundle or of a trained nnU-Net.

        Args:
            name: what to call it; by default the folder's or archive's name. The name of a model of ours fills that.
            modalities: the input channels in order, where the model does not say.

        Raises:
            TumorTwinError: it is neither, cannot be described, or its weights do not fit.
        """
        with self._staging() as unpacked, self._staging() as staging:
            folder = model_folder(path, unpacked)
            ours = self.descriptions().get(name or path.stem)
            if ours is not None and ours.weights.archive_members:
                for member in ours.weights.archive_members:
                    copy_file(folder / member, staging / Path(member).name)
                description = ours
            else:
                description = describe(folder, name or path.stem, modalities)
                if ours is not None and (ours.weights.shipped or ours.network.kind != description.network.kind):
                    raise TumorTwinError(f"There is a model {ours.name!r} already: import {path} under another name.")
                copy_file(weights_of(folder), staging / description.weights.file)
                write_description(staging / _DESCRIPTION, description)
            check_fit(description, staging)
            self._place(staging, description, str(path))
        return description

    def remove(self, name: str) -> None:
        """Delete what was downloaded or imported for a model.

        Raises:
            TumorTwinError: nothing was, or it cannot be deleted.
        """
        folder = self.user_folder / name
        if Path(name).name != name or name in {"", ".", ".."} or not folder.is_dir() or folder.is_symlink():
            raise TumorTwinError(f"No model {name!r} was installed in {self.user_folder}: nothing to remove.")
        if not any((folder / file).exists() for file in (_INSTALLED, f"{_DOWNLOAD}.part")):
            raise TumorTwinError(f"{folder} was not made by TumorTwin: remove it yourself if you want to.")
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise TumorTwinError(f"{folder} cannot be deleted ({error.strerror}): close what uses it.") from error

    # Files

    def _recorded(self, folder: Path) -> dict[str, str]:
        """SHA-256 of each file of an installed model, as noted then."""
        if not (folder / _INSTALLED).is_file():
            return {}
        files = read_json(folder / _INSTALLED).get("sha256")
        return {str(name): str(digest) for name, digest in files.items()} if isinstance(files, dict) else {}

    def _take_members(
        self, archive: Path, description: ModelDescription, staging: Path, cancelled: Callable[[], bool]
    ) -> None:
        members = description.weights.archive_members
        with tempfile.TemporaryDirectory(dir=staging) as unpacked:
            wanted = ending_in(members)
            taken = archives.extract(archive, Path(unpacked), wanted, cancelled)
            for member in members:
                found = [path for path in taken if ending_in([member])(path.relative_to(unpacked).as_posix())]
                if len(found) != 1:
                    raise TumorTwinError(f"The archive of {description.title} has no single {member}: report this.")
                os.replace(found[0], staging / found[0].name)

    def _place(self, staging: Path, description: ModelDescription, source: str) -> None:
        """Move the finished files into the model's folder, the weights last, so that half a model is never found."""
        files = sorted(path for path in staging.iterdir() if path.is_file())
        digests = {path.name: file_sha256(path) for path in files if path.name != _DESCRIPTION}
        published = description.weights.sha256
        if published is not None and digests[description.weights.file] != published:
            raise TumorTwinError(
                f"{source} does not hold the published weights of {description.title} (SHA-256 differs): get them anew."
            )
        note = staging / _INSTALLED
        note.write_text(json.dumps({"source": source, "sha256": digests}, indent=1) + "\n", encoding="utf-8")
        folder = self.folder(description)
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted([*files, note], key=lambda path: path.name == description.weights.file):
            os.replace(path, folder / path.name)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder on the same disk as the models, gone afterwards."""
        try:
            self.user_folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".installing-", dir=self.user_folder) as folder:
                yield Path(folder)
        except OSError as error:
            raise TumorTwinError(
                f"{self.user_folder} cannot be written ({error.strerror or error}): free some space, or set "
                "TUMORTWIN_MODELS to a folder of yours."
            ) from error


def _published(description: ModelDescription) -> Checksum | None:
    """The checksum of what the address gives."""
    weights = description.weights
    if weights.sha256 is not None and not weights.archive_members:
        return Checksum("sha256", weights.sha256)
    return Checksum("sha1", weights.download_sha1) if weights.download_sha1 is not None else None
