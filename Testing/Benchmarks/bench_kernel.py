"""One diffusion stage on 160^3 voxels, float32, one core: nanoseconds a voxel, against the memory bound and torch.

The memory bound counts what a stage must move once: u, v, w and three face arrays read, one array written, 28 bytes a
voxel, at the rate of a large copy measured between the same repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from Testing.Benchmarks.results import record
from TumorTwinLib.geometry import Grid
from TumorTwinLib.physics.backends import make_backend
from TumorTwinLib.physics.domain import Domain, make_domain
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.stepper import Stepper

SIZE, REPEATS = 160, 15
VOXELS = SIZE**3
BYTES_A_VOXEL = 4 * (3 + 3 + 1)
COMMAND = "python -m Testing.Benchmarks.bench_kernel"


def _stages(domain: Domain, backend_name: str, members: int, parameters: int) -> dict[str, Callable[[], None]]:
    """The first, a middle and the last stage of a step, the last with the reaction, on random fields."""
    backend = make_backend(name=backend_name)
    operator = backend.operator(domain, 2.0 / domain.rate_bound_per_mm2)
    shape = (members, 1 + parameters, *domain.state_shape)
    rng = np.random.default_rng(1)
    u, v, out = (backend.array(rng.random(shape, dtype=np.float32)) for _ in range(3))
    one = np.ones(members)
    by_parameter = np.concatenate([np.zeros((members, 1)), np.full((members, parameters), 0.01)], axis=1)
    alpha, gamma, d_alpha, zero, a, b = (backend.array(s * one) for s in (0.3, 0.6, 0.1, 0.0, 0.9, 0.1))
    slopes = backend.array(by_parameter)
    tail = slopes, False, a, b, slopes, slopes
    last = slopes, True, a, b, slopes, slopes
    return {
        "first": lambda: backend.stage(operator, out, u, u, alpha, gamma, 0.0, d_alpha, d_alpha, *tail),
        "middle": lambda: backend.stage(operator, out, u, v, alpha, gamma, -1.0, d_alpha, zero, *tail),
        "last": lambda: backend.stage(operator, out, u, v, alpha, gamma, -1.0, d_alpha, zero, *last),
    }


def _best_seconds(calls: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Shortest time of each call, one of each in turn, so that a slow spell of the machine falls on all."""
    for call in calls.values():
        call()  # compiles
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _backend_difference(domain: Domain) -> float:
    """Relative L2 difference of numba and torch after one stiff step with growth, from the same random field."""
    reaction = LogisticReaction(Rate.constant(0.05))
    field = np.random.default_rng(2).random((1, 1, *domain.grid.shape), dtype=np.float32)
    fields = []
    for name in ("numba", "torch"):
        stepper = Stepper(domain, make_backend(name=name), field, Rate.constant(0.5), reaction)
        stepper.diffuse(2.0, stepper.degree(2.0, 1e-3), reaction.flow(0.0, 2.0))
        fields.append(stepper.cellularity().astype(float))
    return float(np.linalg.norm(fields[1] - fields[0]) / np.linalg.norm(fields[0]))


def _measure_backends(domain: Domain) -> None:
    """Every stage of both backends, and a copy, in one series of repeats."""
    source = np.ones(8 * VOXELS, dtype=np.float32)
    target = source.copy()
    calls = {
        f"{name} {stage}": call for name in ("numba", "torch") for stage, call in _stages(domain, name, 1, 0).items()
    }
    best = _best_seconds(calls | {"copy": lambda: np.copyto(target, source)})
    ns = {name: 1e9 * seconds / VOXELS for name, seconds in best.items()}
    copied_bytes = source.nbytes + target.nbytes
    bound = 1e9 * best["copy"] / copied_bytes * BYTES_A_VOXEL
    for name in calls:
        print(f"{name:13} {ns[name]:5.2f} ns a voxel, {ns[name] / bound:4.2f} of the memory bound")
    print(
        f"memory bound  {bound:5.2f} ns a voxel: {BYTES_A_VOXEL} bytes at {copied_bytes / best['copy'] / 1e9:.1f} GB/s"
    )
    record("solver", "kernel_ns_per_voxel_stage", ns["numba middle"], "ns", 1.6, "lower", COMMAND)
    record("solver", "kernel_ratio_to_memory_bound", ns["numba middle"] / bound, "", 2.0, "lower", COMMAND)
    record("solver", "torch_ns_per_voxel_stage", ns["torch middle"], "ns", 4.0, "lower", COMMAND)


def _measure_many_fields(domain: Domain, what: str, members: int, parameters: int) -> None:
    """Per voxel of each field, for members of an ensemble or for tangents."""
    best = _best_seconds(_stages(domain, "numba", members, parameters))
    ns = {stage: 1e9 * seconds / VOXELS / (members * (1 + parameters)) for stage, seconds in best.items()}
    listed = ", ".join(f"{stage} {value:.2f}" for stage, value in ns.items())
    print(f"{members} members with {parameters} tangents each, ns a voxel of a field: {listed}")
    record("solver", f"kernel_{what}_ns_per_field_voxel_stage", ns["middle"], "ns", None, "lower", COMMAND)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    domain = make_domain(Grid.from_spacing((SIZE,) * 3, (1.0,) * 3), np.ones((SIZE,) * 3, dtype=bool))
    _measure_backends(domain)
    _measure_many_fields(domain, "tangent", 1, 4)
    _measure_many_fields(domain, "ensemble", 4, 0)
    difference = _backend_difference(domain)
    print(f"numba and torch differ by {difference:.1e}")
    record("solver", "kernel_torch_relative_difference", difference, "relative L2", 1e-6, "lower", COMMAND)


if __name__ == "__main__":
    main()
