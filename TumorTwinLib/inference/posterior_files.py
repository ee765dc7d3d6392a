"""A posterior as a folder: ``posterior.json`` and arrays. The model and the patient are stored elsewhere."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.inference.laplace import Mode, ModeStatus
from TumorTwinLib.inference.noise import ObservationNoise
from TumorTwinLib.inference.posterior import Cost, Posterior
from TumorTwinLib.inference.priors import Prior, PriorKind
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.sampling import Draws
from TumorTwinLib.inference.unknowns import Doubts
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings

_JSON = "posterior.json"
_FORMAT = 1


def save_posterior(posterior: Posterior, folder: Path) -> None:
    """Write everything but the model and the patient."""
    folder.mkdir(parents=True, exist_ok=True)
    unknowns, draws, mode = posterior.simulator.unknowns, posterior.draws, posterior.mode
    arrays = {
        "z": draws.z, "log_weights": draws.log_weights, "log_target": draws.log_target, "mode_z": mode.z,
        "mode_gradient": mode.gradient, "mode_hessian": mode.hessian,
    }  # fmt: skip
    if draws.r_hat is not None:
        arrays["r_hat"] = draws.r_hat
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    priors = {name: {**asdict(p), "kind": p.kind.value} for name, p in unknowns.priors.items()}
    document = {
        "format": _FORMAT,
        "patient_id": posterior.patient.patient_id,
        "unknowns": list(unknowns.names),
        "visits": len(posterior.visits_used),
        "priors": priors,
        "fixed": dict(unknowns.fixed),
        "doubts": asdict(unknowns.doubts),
        "noise": asdict(posterior.simulator.noise),
        "settings": asdict(posterior.simulator.settings),
        "mode": {"status": mode.status.name, "log_posterior": mode.log_posterior, "iterations": mode.iterations},
        "draws": {
            "method": draws.method, "k_hat": _text(draws.k_hat), "effective": draws.effective,
            "log_evidence": draws.log_evidence, "evaluations": draws.evaluations, "complete": draws.complete,
        },
        "modes_found": posterior.modes_found,
        "seed": posterior.seed,
        "cost": asdict(posterior.cost),
        "cancelled": posterior.cancelled,
        "summary": str(posterior.summary()),
    }  # fmt: skip
    (folder / _JSON).write_text(json.dumps(document, indent=1), encoding="utf-8")


def load_posterior(folder: str | Path, model: Any, patient: PatientData) -> Posterior:
    """What ``Posterior.save`` wrote, with its model and patient.

    Raises:
        TumorTwinError: no posterior in the folder, or one of another patient or model.
    """
    folder = Path(folder)
    try:
        document = json.loads((folder / _JSON).read_text(encoding="utf-8"))
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        simulator = make_simulator(
            model,
            patient,
            visits=document["visits"],
            priors={n: Prior(**{**p, "kind": PriorKind(p["kind"])}) for n, p in document["priors"].items()},
            calibrate=list(document["priors"]),
            fixed=document["fixed"],
            doubts=Doubts(**document["doubts"]),
            noise=ObservationNoise(**document["noise"]),
            settings=SolverSettings(**document["settings"]),
        )
        mode = Mode(
            ModeStatus[document["mode"]["status"]], arrays["mode_z"], document["mode"]["log_posterior"],
            arrays["mode_gradient"], arrays["mode_hessian"], document["mode"]["iterations"],
        )  # fmt: skip
        saved = document["draws"]
        draws = Draws(
            saved["method"], arrays["z"], arrays["log_weights"], arrays["log_target"], float(saved["k_hat"]),
            saved["effective"], arrays.get("r_hat"), saved["log_evidence"], saved["evaluations"], saved["complete"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise TumorTwinError(f"{folder} holds no posterior that can be read ({fault}): calibrate again.") from fault
    if document["patient_id"] != patient.patient_id or tuple(document["unknowns"]) != simulator.unknowns.names:
        raise TumorTwinError(
            f"The posterior in {folder} is of patient {document['patient_id']} and other unknowns: "
            "give the model and the patient it was made with."
        )
    cost = Cost(**document["cost"])
    return Posterior(
        simulator, mode, draws, document["modes_found"], tuple(range(document["visits"])), document["seed"], cost,
        document["cancelled"],
    )  # fmt: skip


def _text(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else str(value)
