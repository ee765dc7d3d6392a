"""The same stages in plain torch: the reference on the CPU, and the whole solver on CUDA (members are the batch).

Flux form: every face's flux is computed once, taken from one voxel and given to the other. On the CPU the work goes
in slabs of a few planes that stay in cache; on a GPU in one piece.
"""

from __future__ import annotations

import torch

_SLAB = 8  # planes; about a megabyte of temporaries on a brain


def stage(out, u, v, w, faces, scale, box, alpha, gamma, omega, d_alpha, d_gamma, d_diffusivity, react, a, b, da, db):
    """One polynomial stage; arguments as ``kernels_numba.stage``, as tensors, without the row ranges."""
    first, last = int(box[0][0]), int(box[0][1])
    slab = _SLAB if out.device.type == "cpu" else last - first
    per_member = [x[:, None, None, None, None] for x in (alpha, gamma)]
    weighted = bool(d_diffusivity.any())
    for start in range(first, last, slab):
        part = _window(box, start, min(start + slab, last))
        y = _shifted(v, faces, scale, part)
        shifted_base = y[:, :1].clone() if weighted else None
        y.mul_(per_member[1]).addcmul_(u[(..., *part)], per_member[0])
        if omega:
            y.add_(w[(..., *part)], alpha=float(omega))
        if weighted:
            gain = d_diffusivity[:, :, None, None, None]
            y += gain * d_alpha[:, None, None, None, None] * u[:, :1][(..., *part)]
            y += gain * d_gamma[:, None, None, None, None] * shifted_base
        out[(..., *part)] = _moebius(y, a, b, da, db) if react else y


def react(u, box, a, b, da, db):
    """The Moebius map alone, in place."""
    part = _window(box, int(box[0][0]), int(box[0][1]))
    u[(..., *part)] = _moebius(u[(..., *part)].clone(), a, b, da, db)


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


def _window(box, start: int, stop: int) -> tuple[slice, ...]:
    return (slice(start, stop), *(slice(int(low), int(high)) for low, high in box[1:]))


def _shifted(v, faces, scale, part):
    """v + scale * L v on one window."""
    y = v[(..., *part)].clone()
    for axis in range(3):
        # voxels of the window and one more on either side: every face of the window lies between two of them
        wide = tuple(slice(p.start - (a == axis), p.stop + (a == axis)) for a, p in enumerate(part))
        high = tuple(slice(p.start, p.stop + (a == axis)) for a, p in enumerate(part))
        flux = torch.diff(v[(..., *wide)], dim=axis - 3)
        flux.mul_(faces[axis][high]).mul_(scale)
        count = flux.shape[axis - 3] - 1
        y.add_(flux.narrow(axis - 3, 1, count)).sub_(flux.narrow(axis - 3, 0, count))
    return y


def _moebius(y, a, b, da, db):
    """``a y / (1 + b y)`` and its derivative in every tangent, in place."""
    a, b = (x[:, None, None, None] for x in (a, b))
    base = y[:, 0]
    inverse = 1.0 / (1.0 + b * base)
    if y.shape[1] > 1:
        share = (a * inverse * inverse)[:, None]
        da, db = (x[:, 1:, None, None, None] for x in (da, db))
        y[:, 1:] = share * (y[:, 1:] - db * (base * base)[:, None]) + da * (base * inverse)[:, None]
    base.mul_(inverse).mul_(a)
    return y
