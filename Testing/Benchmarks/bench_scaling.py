"""Cost of a forward solve on a whole brain: the shipped patient's head (ICBM152) and treatment (Stupp) at 1 to 2 mm.

Same equation, same parameters (prior medians), same tolerance and 180 days on every grid; what changes is the voxel.
Two things grow: voxels, and, because a finer grid is stiffer, stages. ``scaling_exponent_voxels`` is the slope of
log CPU time against log tissue voxels with both in it; without the stages it is ``scaling_exponent_voxels_per_stage``.
``scaling_exponent_days`` is the slope against the simulated days, on the grid of 1.5 mm. Times are the best of a few,
of one core.

Memory is the sum of all arrays alive at the worst moment of a solve, output included, in float32 fields of the active
box at the end. What the caller brings, the domain of the whole brain and the first state, is not in it; the domain is
printed beside it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from Testing.Benchmarks.cpu_time import least_cpu_seconds
from Testing.Benchmarks.results import record
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import Solution, solve

PATIENT = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "glioblastoma"
VOXEL_MM = (2.0, 1.5, 1.0)
DAYS, HORIZONS, HORIZON_VOXEL_MM = 180.0, (45.0, 90.0, 180.0, 360.0), 1.5
REPEATS = 6
COMMAND = "python -m Testing.Benchmarks.bench_scaling"


@dataclass(frozen=True, eq=False)
class Problem:
    domain: Domain
    initial: np.ndarray
    reaction: LogisticReaction
    diffusivity: Rate

    def solve(self, days: float) -> Solution:
        return solve(self.domain, self.initial, self.reaction, self.diffusivity, [days])

    def measure(self, days: float) -> tuple[float, dict]:
        """Least CPU seconds of a solve, and its statistics."""
        seconds, run = least_cpu_seconds(lambda: self.solve(days), REPEATS)
        return seconds, run.stats


def _problem(patient: PatientData, voxel_mm: float) -> Problem:
    model = ReactionDiffusionModel.from_patient(patient, resolution_mm=voxel_mm)
    values = model.values()
    initial = model.initial_state(model.observe(patient)[0], values).astype(np.float32)
    return Problem(model.physics_domain, initial, *model.dynamics(patient, [values]))


def _memory_fields(problem: Problem) -> tuple[float, float]:
    """Peak memory of one solve and memory of its domain, in float32 fields of the active box."""
    tracemalloc.start()  # numpy reports its arrays to it
    field = 4 * problem.solve(DAYS).stats["box_voxels"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    domain = problem.domain.face_coefficients_per_mm2.nbytes + problem.domain.mask.nbytes
    return peak / field, domain / field


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def main() -> None:
    patient = PatientData(imaging_dir=PATIENT)
    problems = {voxel_mm: _problem(patient, voxel_mm) for voxel_mm in VOXEL_MM}
    problems[VOXEL_MM[0]].solve(2.0)  # compiles

    print("voxel  tissue voxels  box at the end  steps  stages  CPU s  ns/voxel-stage  solve + domain")
    voxels, seconds, a_stage = [], [], []
    for voxel_mm, problem in problems.items():
        (cpu_s, stats), tissue = problem.measure(DAYS), int(problem.domain.mask.sum())
        fields, domain_fields = _memory_fields(problem)
        voxels.append(tissue)
        seconds.append(cpu_s)
        a_stage.append(cpu_s / stats["stages"])
        print(
            f"{voxel_mm:3.1f} mm {tissue:13,d}  {stats['box_voxels']:14,d}  {stats['steps']:5d}  {stats['stages']:6d}  "
            f"{cpu_s:5.2f}  {1e9 * cpu_s / stats['voxel_stages']:14.2f}  {fields:5.1f} + {domain_fields:.1f} fields"
        )
    record("solver", "whole_brain_1mm_180_days_cpu_seconds", seconds[-1], "s", None, "lower", COMMAND)
    record("solver", "whole_brain_1mm_tissue_voxels", voxels[-1], "voxels", None, "higher", COMMAND)
    record("solver", "scaling_exponent_voxels", _slope(voxels, seconds), "", 1.1, "lower", COMMAND)
    record("solver", "scaling_exponent_voxels_per_stage", _slope(voxels, a_stage), "", 1.1, "lower", COMMAND)
    record("solver", "forward_memory_fields", fields, "fields", 12.0, "lower", COMMAND)

    by_days = [problems[HORIZON_VOXEL_MM].measure(days)[0] for days in HORIZONS]
    print("days on 1.5 mm: " + ", ".join(f"{d:g} in {s:.2f} CPU s" for d, s in zip(HORIZONS, by_days, strict=True)))
    record("solver", "scaling_exponent_days", _slope(HORIZONS, by_days), "", 1.1, "lower", COMMAND)
    print(f"exponents: voxels {_slope(voxels, seconds):.2f}, per stage {_slope(voxels, a_stage):.2f}, ", end="")
    print(f"days {_slope(HORIZONS, by_days):.2f}")


if __name__ == "__main__":
    main()
