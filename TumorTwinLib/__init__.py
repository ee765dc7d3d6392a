"""TumorTwin: scans in, calibrated tumour twin out. Public names load on first use, so importing this is instant."""

from __future__ import annotations

import importlib

from TumorTwinLib.version import VERSION as __version__

_PUBLIC = {
    "BayesianCalibration": "TumorTwinLib.inference.bayes",
    "DigitalTwin": "TumorTwinLib.twin",
    "Forecast": "TumorTwinLib.forecast",
    "Grid": "TumorTwinLib.geometry",
    "Image": "TumorTwinLib.geometry",
    "ImagingPipeline": "TumorTwinLib.processing.pipeline",
    "MapCalibration": "TumorTwinLib.inference.calibration",
    "ParameterEstimator": "TumorTwinLib.inference.estimator",
    "PatientData": "TumorTwinLib.patient",
    "ReactionDiffusionModel": "TumorTwinLib.models.glioblastoma",
    "TumorTwinError": "TumorTwinLib.errors",
    "Visit": "TumorTwinLib.patient",
}
__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604  the names exist lazily


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
