"""The segmentation models the panel and jobs offer, with what each still needs on this computer."""

from __future__ import annotations

from dataclasses import dataclass

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.description import NNUNET, ModelDescription
from TumorTwinLib.segmentation.networks import missing_package
from TumorTwinLib.segmentation.store import ModelStore

DEFAULT_MODEL = "tumortwin_brain"
READY, NEEDS_DOWNLOAD, NEEDS_FILE, NEEDS_PACKAGE = "ready", "needs download", "needs file", "needs package"


@dataclass(frozen=True)
class SegmentationModel:
    """A model that outlines a tumor.

    Args:
        title: what the panel calls it.
        description: images it needs and regions it gives, in one sentence.
        state: ``READY``, ``NEEDS_DOWNLOAD``, ``NEEDS_FILE`` or ``NEEDS_PACKAGE``.
        advice: what to do before it can run; empty where it is ready.
    """

    title: str
    description: str
    state: str = READY
    advice: str = ""


def segmentation_models(store: ModelStore | None = None, *, organ: str | None = None) -> dict[str, SegmentationModel]:
    """The models by the name that jobs use, the default first. Reads a few small files.

    Args:
        organ: only those of it, as in ``ModelDescription.organ``.
    """
    store = store or ModelStore()
    found = store.descriptions()
    names = sorted(found, key=lambda name: (name != DEFAULT_MODEL, found[name].organ, name))
    return {
        name: SegmentationModel(found[name].title, found[name].summary, *model_state(found[name], store))
        for name in names
        if organ is None or found[name].organ == organ
    }


def model_state(description: ModelDescription, store: ModelStore) -> tuple[str, str]:
    """Whether a model can run here, and the sentence on what it still needs."""
    package = missing_package(description.network)
    if package is not None:
        return NEEDS_PACKAGE, f"{description.title} needs the package {package}: install it, or choose another model."
    if store.is_installed(description):
        return READY, ""
    weights = description.weights
    if weights.url is not None:
        size = "of a size that is not published" if weights.size_bytes is None else _megabytes(weights.size_bytes)
        return NEEDS_DOWNLOAD, f"{description.title} needs a download {size}, or the import of a copy."
    if weights.shipped:
        return NEEDS_FILE, f"{weights.file} is missing in {store.shipped_folder}: install TumorTwin again."
    return NEEDS_FILE, f"{description.title} needs your own {weights.file}: import it."


def runnable_model(name: str, store: ModelStore | None = None) -> tuple[ModelDescription, tuple[str, ...]]:
    """The model to run for a name, and sentences the user should see.

    An nnU-Net that is not here is replaced by TumorTwin's own model, with a notice. Others are never replaced.

    Raises:
        TumorTwinError: there is no such model, or it cannot run here; the sentence says what it needs.
    """
    store = store or ModelStore()
    description = store.description(name)
    state, advice = model_state(description, store)
    if state == READY:
        return description, ()
    if description.network.kind != NNUNET:
        raise TumorTwinError(advice)
    own, _ = runnable_model(DEFAULT_MODEL, store)
    return own, (f"{advice} {own.title} was used in its place.",)


def _megabytes(size: int) -> str:
    return f"of about {size / 1e6:.0f} MB"
