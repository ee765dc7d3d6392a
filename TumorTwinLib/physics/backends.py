"""Where the kernels run: fused numba loops on the CPU, or plain torch on the CPU or a GPU. One interface."""

from __future__ import annotations

import importlib.util

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.physics.domain import Domain


class NumbaBackend:
    """State arrays are numpy; one fused pass per stage."""

    name = "numba"

    def __init__(self, dtype: str, device: str = "cpu") -> None:
        from TumorTwinLib.physics import kernels_numba  # compiling and importing numba costs seconds: only when solving

        if device != "cpu":
            raise TumorTwinError(f"The numba kernels run on the CPU, not on {device!r}: choose backend 'torch'.")
        self._kernels = kernels_numba
        self.dtype = np.dtype(dtype)

    def operator(self, domain: Domain, scale: float) -> tuple:
        """What a stage needs to know of the domain: face coefficients, ``scale`` of L, rows of the mask."""
        faces = domain.face_coefficients_per_mm2.astype(self.dtype, copy=False)
        return faces, self.dtype.type(scale), domain.row_range

    def array(self, values: np.ndarray) -> np.ndarray:
        """A private copy on the device: the caller's array is never written to."""
        return np.array(values, dtype=self.dtype, order="C")

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, dtype=self.dtype)

    def copy(self, values: np.ndarray) -> np.ndarray:
        return values.copy()

    def to_numpy(self, values: np.ndarray) -> np.ndarray:
        """The values on the host, not to be written to."""
        return values

    def stage(self, operator, out, u, v, alpha, gamma, omega, *rest) -> None:
        self._kernels.stage(out, u, v, *operator, alpha, gamma, self.dtype.type(omega), *rest)

    def react(self, operator, u, a, b, da, db) -> None:
        self._kernels.react(u, operator[2], a, b, da, db)

    def largest_near_faces(self, u, reach: int) -> np.ndarray:
        return self._kernels.largest_near_faces(u, reach)

    def squared_difference(self, u, v) -> np.ndarray:
        return self._kernels.squared_difference(u, v)

    def is_finite(self, u) -> bool:
        return bool(np.isfinite(np.sum(u, dtype=np.float64)))


class TorchBackend:
    """State arrays are tensors on ``device``; the reference, and the way to a GPU."""

    name = "torch"

    def __init__(self, dtype: str, device: str = "cpu") -> None:
        import torch

        from TumorTwinLib.physics import kernels_torch

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise TumorTwinError(f"No CUDA device is available for {device!r}: choose device 'cpu'.")
        self._torch, self._kernels = torch, kernels_torch
        self.dtype = np.dtype(dtype)
        self._device = torch.device(device)

    def operator(self, domain: Domain, scale: float) -> tuple:
        return self._torch.from_numpy(domain.face_coefficients_per_mm2).to(self._device, self._type), scale

    @property
    def _type(self):
        return getattr(self._torch, self.dtype.name)

    def array(self, values: np.ndarray):
        tensor = self._torch.from_numpy(np.array(values, dtype=self.dtype, order="C"))
        return tensor.to(self._device)

    def zeros(self, shape: tuple[int, ...]):
        return self._torch.zeros(shape, dtype=self._type, device=self._device)

    def copy(self, values):
        return values.clone()

    def to_numpy(self, values) -> np.ndarray:
        return values.cpu().numpy()

    def stage(self, operator, out, u, v, *rest) -> None:
        self._kernels.stage(out, u, v, *operator, *rest)

    def react(self, operator, u, a, b, da, db) -> None:
        self._kernels.react(u, a, b, da, db)

    def largest_near_faces(self, u, reach: int) -> np.ndarray:
        return self._kernels.largest_near_faces(u, reach).cpu().numpy()

    def squared_difference(self, u, v) -> np.ndarray:
        return self._kernels.squared_difference(u, v).cpu().numpy()

    def is_finite(self, u) -> bool:
        return bool(self._torch.isfinite(u.sum(dtype=self._torch.float64)))


def make_backend(*, name: str = "auto", dtype: str = "float32", device: str = "cpu") -> NumbaBackend | TorchBackend:
    """``auto`` is numba on the CPU where numba is installed, torch otherwise and on every other device.

    Raises:
        TumorTwinError: an unknown backend or dtype, or a device that is not there.
    """
    if dtype not in ("float32", "float64"):
        raise TumorTwinError(f"The solver works in float32 or float64, not {dtype!r}: choose one of them.")
    if name == "auto":
        name = "numba" if device == "cpu" and importlib.util.find_spec("numba") else "torch"
    if name == "numba":
        return NumbaBackend(dtype, device)
    if name == "torch":
        return TorchBackend(dtype, device)
    raise TumorTwinError(f"Unknown solver backend {name!r}: choose 'auto', 'numba' or 'torch'.")
