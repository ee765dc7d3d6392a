"""A network over a visit's images: the right voxels, MONAI's sums, progress, cancel, and less memory than wanted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import SegResNet

from Testing.segmentation.small_models import SOFT, head, model
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Grid
from TumorTwinLib.metrics import dice
from TumorTwinLib.segmentation import windows
from TumorTwinLib.segmentation.inference import InferenceSettings, divisor_of, segment
from TumorTwinLib.segmentation.memory import free_bytes, window_bytes
from TumorTwinLib.segmentation.preprocessing import prepare

GRID = Grid(np.array((60, 56, 58)), np.array([[1, 0, 0, -30], [0, 1, 0, -28], [0, 0, 1, -29], [0, 0, 0, 1.0]]))
EMPTY = np.full(3, -10.0, np.float32)
EXACT = InferenceSettings(stretch=1.0, precision="float32")


class RightHalf(torch.nn.Module):
    """Calls tumor what lies to the right of the brain's middle, as the ramp of T1 tells; remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(20.0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        type(self).seen = [*getattr(type(self), "seen", []), tuple(images.shape)]
        right = images[:, :1] * self.gain
        return torch.cat([right - 10, right, right - 20], 1)


@pytest.fixture
def right_half():
    RightHalf.seen = []
    return RightHalf()


@pytest.fixture
def plenty(monkeypatch):
    """A computer that does not say how much memory it has, so that no window is refused before it is tried."""
    monkeypatch.setattr(windows, "free_bytes", lambda device: None)


def seg_res_net(outputs: int = 3) -> torch.nn.Module:
    torch.manual_seed(1)
    return SegResNet(
        blocks_down=[1, 1],
        blocks_up=[1],
        init_filters=8,
        in_channels=4,
        out_channels=outputs,
        norm=("GROUP", {"num_groups": 4}),
    ).eval()


def turned(kind: str) -> Grid:
    if kind == "LAS":
        affine = np.diag([-1.0, 1, 1, 1])
        affine[:3, 3] = 29, -28, -29
        return Grid((60, 56, 58), affine)
    affine = np.array([[0, 0, -1.2, 31], [0, 1.0, 0, -28], [-1.0, 0, 0, 29], [0, 0, 0, 1]])
    return Grid((58, 56, 52), affine)


@pytest.mark.parametrize("kind", ["LAS", "sagittal"])
@pytest.mark.parametrize("spacing_mm", [None, (2.0, 2.0, 2.0)])
def test_the_right_half_is_right_in_every_orientation(right_half, kind, spacing_mm):
    grid = turned(kind)
    images = head(grid)
    result = segment(images, model(spacing_mm=spacing_mm), network=right_half, device="cpu", settings=EXACT)
    assert result.labels.grid is grid
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), -1))
    brain = images["T1"].array != 0
    # brain voxels cut by the rim are darker and move the mean, which is the middle here, by up to 2.5 mm
    clear = brain & (np.abs(ras[..., 0]) > 3.2) & (np.linalg.norm(ras, axis=-1) < 18)
    whole = result.masks["whole_tumor"].array
    np.testing.assert_array_equal(whole[clear], ras[..., 0][clear] > 0)
    assert not whole[np.linalg.norm(ras, axis=-1) > 23].any()
    assert result.labels.array[np.linalg.norm(ras - [15, 0, 0], axis=-1) < 2].min() == 4  # the far right enhances


def test_windows_sum_as_in_monai(plenty):
    images, description, network = head(GRID, radius_mm=26), model(window=(32, 32, 32)), seg_res_net()
    prepared = prepare(images, description, divisor=2)
    with torch.inference_mode():
        expected = SlidingWindowInferer((32, 32, 32), 1, 0.5, mode="gaussian")(
            torch.from_numpy(prepared.channels)[None], network
        )[0].numpy()
    rungs = windows.ladder("cpu", (32, 32, 32), at_once=None, precision="float32", divisor=2)
    done = []
    got, notices = windows.slide(
        network,
        prepared.channels,
        prepared.foreground,
        rungs,
        empty=EMPTY,
        divisor=2,
        overlap=0.5,
        flips=((),),
        on_progress=lambda *counts: done.append(counts),
        cancelled=None,
    )
    assert notices == []
    assert done[-1] == (len(done), len(done))
    assert done[-1][1] == windows.count_windows(prepared.grid.shape, (32, 32, 32), 0.5) > 8
    np.testing.assert_allclose(got, expected, atol=2e-4)


def test_empty_windows_are_not_computed(right_half, plenty):
    channels = np.zeros((4, 96, 32, 32), np.float32)
    channels[:, :20] = 1.0
    foreground = channels[0] != 0
    rungs = windows.ladder("cpu", (32, 32, 32), at_once=None, precision="float32", divisor=2)
    progress = []
    logits, _ = windows.slide(
        right_half, channels, foreground, rungs, empty=EMPTY, divisor=2, overlap=0.0, flips=((),),
        on_progress=lambda *counts: progress.append(counts), cancelled=None,
    )  # fmt: skip
    assert RightHalf.seen == [(1, 4, 32, 32, 32)]
    assert progress == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_allclose(logits[:, 32:], -10, rtol=1e-5)


def test_a_box_a_little_longer_than_the_window_is_taken_whole(right_half, plenty):
    segment(head(GRID), model(), network=right_half, device="cpu", settings=InferenceSettings(precision="float32"))
    assert RightHalf.seen == [(1, 4, 48, 48, 48)]
    RightHalf.seen = []
    segment(head(GRID), model(), network=right_half, device="cpu", settings=EXACT)
    assert set(RightHalf.seen) == {(1, 4, 32, 32, 32)}
    assert len(RightHalf.seen) == 8


def test_progress_rises_to_one_and_cancel_stops_between_windows(right_half, plenty):
    shares = []
    segment(head(GRID), model(), network=right_half, device="cpu", settings=EXACT, on_progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) == 9
    assert shares[-1] == 1.0
    RightHalf.seen = []
    with pytest.raises(CancelledError):
        segment(
            head(GRID), model(), network=right_half, device="cpu", settings=EXACT,
            cancelled=lambda: len(RightHalf.seen) == 3,
        )  # fmt: skip
    assert len(RightHalf.seen) == 3


def test_flips_make_a_network_even_handed(plenty):
    """Averaged over left-right flips, a mirrored image gives the mirrored answer of any network."""
    images, network = head(GRID, center_mm=(-0.5, 0, 0)), seg_res_net()
    prepared = prepare(images, model(), divisor=2)
    rungs = windows.ladder("cpu", prepared.grid.shape, at_once=None, precision="float32", divisor=2)

    def run(channels, flips):
        return windows.slide(
            network, channels, np.ones(channels.shape[1:], bool), rungs, empty=EMPTY, divisor=2, overlap=0.5,
            flips=flips, on_progress=None, cancelled=None,
        )[0]  # fmt: skip

    mirrored = prepared.channels[:, ::-1].copy()
    plain_gap = np.abs(run(mirrored, ((),))[:, ::-1] - run(prepared.channels, ((),))).max()
    both = windows.all_flips((0,))
    gap = np.abs(run(mirrored, both)[:, ::-1] - run(prepared.channels, both)).max()
    assert both == ((), (0,))
    assert len(windows.all_flips((0, 1, 2))) == 8
    assert gap < 1e-4
    assert plain_gap > 1e-2


class Hungry(RightHalf):
    """A network whose memory ends in windows longer than 24 voxels."""

    def forward(self, images):
        if images.shape[2] > 24:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return super().forward(images)


def test_when_memory_ends_windows_shrink_and_it_is_said(plenty, monkeypatch):
    monkeypatch.setattr(windows, "_SMALLEST_WINDOW", 8)
    Hungry.seen = []
    result = segment(head(GRID), model(), network=Hungry(), device="cpu", settings=EXACT)
    assert {shape[2:] for shape in Hungry.seen} == {(24, 24, 24)}
    assert result.notices == (
        "Segmentation took smaller windows, 24 x 24 x 24, because memory ran out in windows of 32 x 32 x 32.",
    )
    assert result.masks["whole_tumor"].array.any()


def test_the_estimate_spares_a_window_that_would_not_fit(right_half, monkeypatch):
    needed = window_bytes(right_half, (1, 4, 32, 32, 32), 32, torch.float32)
    monkeypatch.setattr(windows, "free_bytes", lambda device: needed / windows._KEPT_FREE * 0.9)
    monkeypatch.setattr(windows, "_SMALLEST_WINDOW", 8)
    RightHalf.seen = []
    result = segment(head(GRID), model(), network=right_half, device="cpu", settings=EXACT)
    assert "because it needs" in result.notices[0]
    computed = [shape for shape in RightHalf.seen if shape[2:] == (24, 24, 24)]
    assert computed
    monkeypatch.setattr(windows, "free_bytes", lambda device: 1000)
    with pytest.raises(
        TumorTwinError, match=r"too little memory for the segmentation \(it needs .*close other programs"
    ):
        segment(head(GRID), model(), network=right_half, device="cpu", settings=EXACT)


def test_the_ladder_from_cuda_ends_on_the_cpu(monkeypatch):
    monkeypatch.setattr(windows, "choose_precision", lambda wanted, device: f"of {device}")
    rungs = windows.ladder("cuda", (128, 96, 128), at_once=None, precision="auto", divisor=8)
    assert [(rung.device, rung.at_once) for rung in rungs[:3]] == [("cuda", 4), ("cuda", 2), ("cuda", 1)]
    assert rungs[3].window == (96, 72, 96)
    first_cpu = next(rung for rung in rungs if rung.device == "cpu")
    assert first_cpu == windows.Rung("cpu", (128, 96, 128), 1, "of cpu")
    assert [rung.device for rung in rungs] == sorted((rung.device for rung in rungs), reverse=True)
    assert rungs[-1].window == (48, 32, 48)
    assert all(n % 8 == 0 for rung in rungs for n in rung.window)


def test_an_error_that_is_not_of_memory_is_not_hidden(plenty):
    class Broken(RightHalf):
        def forward(self, images):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        segment(head(GRID), model(), network=Broken(), device="cpu", settings=EXACT)


def test_memory_is_estimated_from_what_lives_at_once():
    """Two convolutions, 4 to 8 to 8 channels: input of the second and its output live together."""
    network = torch.nn.Sequential(torch.nn.Conv3d(4, 8, 1), torch.nn.Conv3d(8, 8, 1))
    voxels = 40**3
    lower, upper = (8 + 8) * voxels * 4, 2 * (4 + 8 + 8) * voxels * 4
    assert lower < window_bytes(network, (1, 4, 40, 40, 40), 16, torch.float32) < upper
    assert window_bytes(network, (2, 4, 40, 40, 40), 16, torch.bfloat16) == pytest.approx(
        window_bytes(network, (1, 4, 40, 40, 40), 16, torch.float32), rel=1e-3
    )
    assert free_bytes("cpu") > 1e6


def test_bfloat16_draws_the_outlines_of_float32(right_half, plenty):
    images = head(GRID)
    masks, logits = [], []
    prepared = prepare(images, model(), divisor=2)
    for precision in ("float32", "bfloat16"):
        settings = InferenceSettings(precision=precision)
        masks.append(segment(images, model(), network=right_half, device="cpu", settings=settings).masks)
        rungs = windows.ladder("cpu", prepared.grid.shape, at_once=None, precision=precision, divisor=2)
        logits.append(
            windows.slide(
                seg_res_net(), prepared.channels, prepared.foreground, rungs, empty=EMPTY, divisor=2, overlap=0.5,
                flips=((),), on_progress=None, cancelled=None,
            )[0]
        )  # fmt: skip
    for region in masks[0]:
        assert dice(masks[0][region].array, masks[1][region].array) > 0.99, region
    assert 0 < np.abs(logits[1] - logits[0]).mean() < 0.02 * np.abs(logits[0]).mean()


def test_confidence_comes_with_the_labels(right_half):
    result = segment(head(GRID), model(), network=right_half, device="cpu", settings=EXACT)
    assert set(result.probabilities) == set(result.boundary_sd_mm) == {"core", "whole_tumor", "enhancing"}
    whole = result.probabilities["whole_tumor"].array
    np.testing.assert_array_equal(whole >= 0.5, result.masks["whole_tumor"].array)
    sd = result.boundary_sd_mm["whole_tumor"]
    assert sd.unit == "mm"
    assert sd.grid is GRID
    # the ramp's sd in a ball of 20 mm is 8.9 mm: 20 / 8.9 logits a mm, and a logit is 1.6 probits near the middle
    assert sd.array[30, 28, 29] == pytest.approx(0.71, rel=0.3)
    assert 0 < result.volume_sd_ml["whole_tumor"] < 3


def test_bad_requests_are_refused(right_half):
    with pytest.raises(TumorTwinError, match="gives 3 outputs instead of 4"):
        segment(head(GRID), model(**SOFT), network=right_half, device="cpu", settings=EXACT)
    for wrong in (
        {"overlap": 1.0},
        {"stretch": 0.5},
        {"precision": "int8"},
        {"flip_axes": (0, 0)},
        {"windows_at_once": 0},
    ):
        with pytest.raises(TumorTwinError, match=next(iter(wrong))):
            InferenceSettings(**wrong)
    if not torch.cuda.is_available():
        with pytest.raises(TumorTwinError, match="no CUDA device"):
            segment(head(GRID), model(), network=right_half, device="cuda")


@pytest.mark.parametrize(
    ("arguments", "divisor"),
    [
        ({"blocks_down": [1, 2, 2, 4]}, 8),
        ({"strides": [1, 2, 2, 2]}, 8),
        ({"strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]]}, 4),
        ({"img_size": 96}, 32),
    ],
)
def test_inputs_are_multiples_of_what_the_network_halves(arguments, divisor):
    assert divisor_of(model(arguments=arguments)) == divisor
