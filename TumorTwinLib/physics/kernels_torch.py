"""The same stages in plain torch: the reference on the CPU, and the whole solver on CUDA (members are the batch).

Flux form: every face's flux is computed once, taken from one voxel and given to the other. On the CPU the work goes
in slabs of planes whose temporaries, made once, stay in cache; on a GPU in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

_SLAB_VOXELS = 2**18  # over all members and fields; a megabyte per temporary


def stage(out, u, v, faces, scale, alpha, gamma, omega, d_alpha, d_gamma, d_diffusivity, react, a, b, da, db):
    """One polynomial stage; arguments as ``kernels_numba.stage``, as tensors, without the row ranges."""
    alpha, gamma, d_alpha, d_gamma = (x[:, None, None, None, None] for x in (alpha, gamma, d_alpha, d_gamma))
    gain = d_diffusivity[:, :, None, None, None]
    buffers: list[torch.Tensor] = []
    for part in _slabs(out):
        y = _shifted(v, faces, scale, part, buffers)
        base = u[(..., *part)][:, :1]
        by_diffusivity = (d_alpha * base).addcmul_(d_gamma, y[:, :1]) if u.shape[1] > 1 else None
        y.mul_(gamma).addcmul_(u[(..., *part)], alpha)
        if by_diffusivity is not None:
            y.addcmul_(gain, by_diffusivity)
        if omega:
            y.add_(out[(..., *part)], alpha=float(omega))
        if react:
            _moebius(y, a, b, da, db)
        out[(..., *part)] = y


def react(u, a, b, da, db):
    """The Moebius map alone, in place."""
    for part in _slabs(u):
        _moebius(u[(..., *part)], a, b, da, db)


def largest_near_faces(u, reach):
    """(3, 2) as ``kernels_numba.largest_near_faces``."""
    base = u[:, 0, 1:-1, 1:-1, 1:-1].abs()
    found = []
    for axis in range(3):
        voxels = base.shape[1 + axis]
        width = min(reach, voxels)
        found.append([base.narrow(1 + axis, start, width).max() for start in (0, voxels - width)])
    return torch.stack([torch.stack(ends) for ends in found])


def squared_difference(u, v):
    """(2, E) as ``kernels_numba.squared_difference``."""
    sums = torch.zeros((2, u.shape[0]), dtype=torch.float64, device=u.device)
    for part in _slabs(u):
        size = v[(..., *part)][:, 0].double()
        gap = u[(..., *part)][:, 0] - size
        sums += torch.stack([gap.square().sum(dim=(1, 2, 3)), size.square().sum(dim=(1, 2, 3))])
    return sums


def _slabs(state) -> Iterator[tuple[slice, ...]]:
    """Everything but the padding, in pieces along the first axis."""
    members, fields, *sizes = state.shape
    first, last, planes = 1, sizes[0] - 1, sizes[0] - 2
    if state.device.type == "cpu":
        planes = max(4, _SLAB_VOXELS // (members * fields * sizes[1] * sizes[2]))
    for start in range(first, last, planes):
        yield slice(start, min(start + planes, last)), slice(1, sizes[1] - 1), slice(1, sizes[2] - 1)


def _shifted(v, faces, scale, part, buffers):
    """v + scale * L v on one window, in the first of four buffers; these are made for the first, largest window."""
    lead, size = v.shape[:2], [p.stop - p.start for p in part]
    widths = [size, *([n + (a == axis) for a, n in enumerate(size)] for axis in range(3))]
    if not buffers:
        buffers.extend(v.new_empty((*lead, *width)) for width in widths)
    y, *fluxes = (buffer[:, :, : width[0]] for buffer, width in zip(buffers, widths, strict=True))
    for axis, flux in enumerate(fluxes):
        # voxels of the window and one more on either side: every face of the window lies between two of them
        high = tuple(slice(p.start, p.stop + (a == axis)) for a, p in enumerate(part))
        low = tuple(slice(p.start - (a == axis), p.stop) for a, p in enumerate(part))
        torch.sub(v[(..., *high)], v[(..., *low)], out=flux).mul_(faces[axis][high])
        leaving, entering = (flux.narrow(axis - 3, start, size[axis]) for start in (0, 1))
        if axis == 0:
            torch.sub(entering, leaving, out=y)
        else:
            y.add_(entering).sub_(leaving)
    return y.mul_(scale).add_(v[(..., *part)])


def _moebius(y, a, b, da, db):
    """``a y / (1 + b y)`` and its derivative in every tangent, in place."""
    a, b = (x[:, None, None, None] for x in (a, b))
    base = y[:, 0]
    inverse = 1.0 / (1.0 + b * base)
    if y.shape[1] > 1:
        da, db = (x[:, 1:, None, None, None] for x in (da, db))
        y[:, 1:].addcmul_(db, (base * base)[:, None], value=-1).mul_((a * inverse * inverse)[:, None])
        y[:, 1:].addcmul_(da, (base * inverse)[:, None])
    base.mul_(inverse).mul_(a)
