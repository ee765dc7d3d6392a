"""How much memory a network needs for a window, found by a small rehearsal, and how much there is."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Convolutions reorder their inputs and outputs into blocks of channels, and freed pieces are not all used again.
# Measured on the CPU at 96^3 and 128^3: 1.0 for SegResNet, 1.1 to 1.4 for DynUNet.
_WORKSPACE = 1.5


def window_bytes(network: torch.nn.Module, shape: tuple[int, ...], side: int, dtype: torch.dtype) -> int:
    """Most bytes alive at once while ``network`` computes one input, weights included.

    Everything but the weights grows with the voxels, so a small cube tells.

    Args:
        shape: (batch, channels, ni, nj, nk) of the input.
        side: of the cube, voxels; the network's divisor or a multiple.
        dtype: of its arithmetic.
    """
    import torch

    parameters = list(network.parameters())
    place = parameters[0].device if parameters else torch.device("cpu")
    cube = torch.zeros((1, shape[1], side, side, side), device=place)
    with torch.inference_mode(), _live_bytes() as live:
        network(cube)
    bytes_a_voxel = live["most"] / side**3 * dtype.itemsize / cube.dtype.itemsize
    weights = sum(p.numel() for p in parameters) * dtype.itemsize
    return int(_WORKSPACE * bytes_a_voxel * shape[0] * math.prod(shape[2:]) + weights)


def free_bytes(device: str) -> int | None:
    """Memory left on a device, or None where the system does not tell."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if sys.platform == "linux":
        with contextlib.suppress(OSError, StopIteration, ValueError), open("/proc/meminfo", encoding="ascii") as lines:
            available = next(line for line in lines if line.startswith("MemAvailable:"))
            return int(available.split()[1]) * 1024
    if sys.platform == "win32":
        return _free_bytes_windows()
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)  # macOS gives way to programs
    return None


def _free_bytes_windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "total_page", "page", "total_virtual", "virtual", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    windll: Any = getattr(ctypes, "windll", None)
    return int(status.available) if windll and windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


@contextlib.contextmanager
def _live_bytes():
    """Counts the bytes of tensors alive inside it: ``{"now": ..., "most": ...}``."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    live = {"now": 0, "most": 0}
    holders: dict[int, int] = {}

    def release(storage: int, size: int) -> None:
        holders[storage] -= 1
        if holders[storage] == 0:
            del holders[storage]
            live["now"] -= size

    class Count(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # nothing is compiled here, and importing the compiler takes seconds

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for tensor in tree_leaves(result):
                if isinstance(tensor, torch.Tensor):
                    storage, size = tensor.untyped_storage()._cdata, tensor.untyped_storage().nbytes()
                    if storage not in holders:
                        live["now"] += size
                        live["most"] = max(live["most"], live["now"])
                    holders[storage] = holders.get(storage, 0) + 1
                    weakref.finalize(tensor, release, storage, size)
            return result

    with Count():
        yield live
