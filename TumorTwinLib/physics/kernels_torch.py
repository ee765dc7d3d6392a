"""The same stages in plain torch: the reference on the CPU, and the whole solver on CUDA (members are the batch).

Flux form: every face's flux is computed once, taken from one voxel and given to the other. On the CPU the work goes
in slabs of planes whose temporaries, made once, stay in cache; on a GPU in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

_SLAB_VOXELS = 2**18  # over all members and fields; a megabyte per temporary


def stage(out, u, v, faces, scale, box, alpha, gamma, omega, d_alpha, d_gamma, d_diffusivity, react, a, b, da, db):
    """One polynomial stage; arguments as ``kernels_numba.stage``, as tensors, without the row ranges."""
    alpha, gamma, d_alpha, d_gamma = (x[:, None, None, None, None] for x in (alpha, gamma, d_alpha, d_gamma))
    gain = d_diffusivity[:, :, None, None, None]
    buffers: list[torch.Tensor] = []
    for part in _slabs(out, box):
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


def react(u, box, a, b, da, db):
    """The Moebius map alone, in place."""
    for part in _slabs(u, box):
        _moebius(u[(..., *part)], a, b, da, db)


def largest_near_faces(u, box, reach):
    """(6,) as ``kernels_numba.largest_near_faces``."""
    found = []
    for axis in range(3):
        low, high = int(box[axis][0]), int(box[axis][1])
        for start, stop in ((low, min(low + reach, high)), (max(high - reach, low), high)):
            window = [slice(int(a), int(b)) for a, b in box]
            window[axis] = slice(start, stop)
            found.append(u[(slice(None), 0, *window)].abs().max())
    return torch.stack(found)


def squared_difference(u, v, box):
    """(2, E) as ``kernels_numba.squared_difference``."""
    sums = torch.zeros((2, u.shape[0]), dtype=torch.float64, device=u.device)
    for part in _slabs(u, box):
        size = v[(..., *part)][:, 0].double()
        gap = u[(..., *part)][:, 0] - size
        sums += torch.stack([gap.square().sum(dim=(1, 2, 3)), size.square().sum(dim=(1, 2, 3))])
    return sums


def _slabs(state, box) -> Iterator[tuple[slice, ...]]:
    """The active box in pieces along the first axis."""
    (first, last), *others = ((int(low), int(high)) for low, high in box)
    planes = last - first
    if state.device.type == "cpu":
        voxels = state.shape[0] * state.shape[1] * (others[0][1] - others[0][0]) * (others[1][1] - others[1][0])
        planes = max(4, _SLAB_VOXELS // voxels)
    for start in range(first, last, planes):
        yield slice(start, min(start + planes, last)), *(slice(low, high) for low, high in others)


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
