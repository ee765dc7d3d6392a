"""Where the kernels run: fused numba loops on the CPU, or plain torch on the CPU or a GPU. One interface."""

from __future__ import annotations

import importlib.util

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.physics.domain import Domain


def _scale(domain: Domain) -> float:
    """Of ``L`` in ``x = 1 + scale L``; zero where no two voxels exchange cells."""
    return 2.0 / domain.rate_bound_per_mm2 if domain.rate_bound_per_mm2 > 0 else 0.0


class NumbaBackend:
    """State arrays are numpy; one fused pass per stage."""

    name = "numba"

    def __init__(self, domain: Domain, dtype: str, device: str = "cpu") -> None:
        from TumorTwinLib.physics import kernels_numba  # compiling and importing numba costs seconds: only when solving

        if device != "cpu":
            raise TumorTwinError(f"The numba kernels run on the CPU, not on {device!r}: choose backend 'torch'.")
        self._kernels = kernels_numba
        self.dtype = np.dtype(dtype)
        self._faces = domain.face_coefficients_per_mm2.astype(self.dtype, copy=False)
        self._scale = self.dtype.type(_scale(domain))
        self._rows = domain.row_range

    def array(self, values: np.ndarray) -> np.ndarray:
        """A private copy on the device: the caller's array is never written to."""
        return np.array(values, dtype=self.dtype, order="C")

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, dtype=self.dtype)  # the system gives memory only to what is written: the active box

    def copy(self, values: np.ndarray) -> np.ndarray:
        return values.copy()

    def to_numpy(self, values: np.ndarray) -> np.ndarray:
        """The values on the host, not to be written to."""
        return values

    def stage(self, out, u, v, box, alpha, gamma, omega, *rest) -> None:
        omega = self.dtype.type(omega)
        self._kernels.stage(out, u, v, self._faces, self._scale, self._rows, box, alpha, gamma, omega, *rest)

    def react(self, u, box, a, b, da, db) -> None:
        self._kernels.react(u, self._rows, box, a, b, da, db)

    def largest_near_faces(self, u, box: np.ndarray, reach: int) -> np.ndarray:
        return self._kernels.largest_near_faces(u, box, reach)

    def squared_difference(self, u, v, box: np.ndarray) -> np.ndarray:
        return self._kernels.squared_difference(u, v, box)

    def is_finite(self, u) -> bool:
        return bool(np.isfinite(np.sum(u, dtype=np.float64)))


class TorchBackend:
    """State arrays are tensors on ``device``; the reference, and the way to a GPU."""

    name = "torch"

    def __init__(self, domain: Domain, dtype: str, device: str = "cpu") -> None:
        import torch

        from TumorTwinLib.physics import kernels_torch

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise TumorTwinError(f"No CUDA device is available for {device!r}: choose device 'cpu'.")
        self._torch, self._kernels = torch, kernels_torch
        self.dtype = np.dtype(dtype)
        self._device = torch.device(device)
        faces = domain.face_coefficients_per_mm2.astype(self.dtype, copy=False)
        self._faces = torch.from_numpy(faces).to(self._device)
        self._scale = _scale(domain)

    def array(self, values: np.ndarray):
        tensor = self._torch.from_numpy(np.array(values, dtype=self.dtype, order="C"))
        return tensor.to(self._device)

    def zeros(self, shape: tuple[int, ...]):
        return self.array(np.zeros(1)).new_zeros(shape)

    def copy(self, values):
        return values.clone()

    def to_numpy(self, values) -> np.ndarray:
        return values.cpu().numpy()

    def stage(self, out, u, v, box, *rest) -> None:
        self._kernels.stage(out, u, v, self._faces, self._scale, box, *rest)

    def react(self, u, box, a, b, da, db) -> None:
        self._kernels.react(u, box, a, b, da, db)

    def largest_near_faces(self, u, box: np.ndarray, reach: int) -> np.ndarray:
        return self._kernels.largest_near_faces(u, box, reach).cpu().numpy()

    def squared_difference(self, u, v, box: np.ndarray) -> np.ndarray:
        return self._kernels.squared_difference(u, v, box).cpu().numpy()

    def is_finite(self, u) -> bool:
        return bool(self._torch.isfinite(u.sum(dtype=self._torch.float64)))


def make_backend(domain: Domain, *, name: str = "auto", dtype: str = "float32", device: str = "cpu"):
    """``auto`` is numba on the CPU where numba is installed, torch otherwise and on every other device.

    Raises:
        TumorTwinError: an unknown backend or dtype, or a device that is not there.
    """
    if dtype not in ("float32", "float64"):
        raise TumorTwinError(f"The solver works in float32 or float64, not {dtype!r}: choose one of them.")
    if name == "auto":
        name = "numba" if device == "cpu" and importlib.util.find_spec("numba") else "torch"
    backends = {"numba": NumbaBackend, "torch": TorchBackend}
    if name not in backends:
        raise TumorTwinError(f"Unknown solver backend {name!r}: choose 'auto', 'numba' or 'torch'.")
    return backends[name](domain, dtype, device)
