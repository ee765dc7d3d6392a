"""Weights files: nothing in them runs, and they fit their network key by key."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.weights import fit_weights, read_arrays, read_weights

torch = pytest.importorskip("torch")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.BatchNorm3d(2))


def copy_of(network):
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.BatchNorm3d(2))


def fits(weights, network):
    fresh = copy_of(network)
    fit_weights(fresh, weights, "model.pt")
    return all(
        torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), network.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        lambda w: {"state_dict": w, "epoch": 3},
        lambda w: {"model": w, "optimizer": {"state": {}, "lr": 0.1}},
        lambda w: {"checkpoint": 1, "network": {"model_state_dict": w}},
        lambda w: {f"module.{name}": value for name, value in w.items()},
        lambda w: {"state_dict": {f"module.model.{name}": value for name, value in w.items()}},
        lambda w: {"network_weights": w, "logging": {"dice": [np.float64(0.5)], "epochs": np.arange(3)}},
    ],
)
def test_weights_are_found_where_programs_put_them(tmp_path, network, wrap):
    torch.save(wrap(network.state_dict()), tmp_path / "model.pt")
    assert fits(read_weights(tmp_path / "model.pt"), network)


def test_a_prefix_that_belongs_to_the_network_stays(tmp_path):
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Linear(2, 2)

    source, target = Wrapped(), Wrapped()
    fit_weights(target, source.state_dict(), "model.pt")
    assert torch.equal(source.model.weight, target.model.weight)


class Evil:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("save", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing, 2))])
@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"state_dict": {"weight": e}}, lambda e: [e]])
def test_code_in_a_file_never_runs(tmp_path, save, wrap):
    marker = tmp_path / "it ran"
    save(wrap(Evil(marker)), tmp_path / "model.pt")
    with pytest.raises(TumorTwinError, match="model.pt (holds program code|is no weights file)"):
        read_weights(tmp_path / "model.pt")
    assert not marker.exists()


def test_the_trap_of_these_tests_works(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "it ran")))
    assert (tmp_path / "it ran").is_dir()


def test_a_whole_network_is_refused(tmp_path, network):
    torch.save(network, tmp_path / "model.pt")
    with pytest.raises(TumorTwinError, match="holds program code, which is not run: save its state_dict"):
        read_weights(tmp_path / "model.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path, network):
    torch.jit.save(torch.jit.trace(network.eval(), torch.zeros(1, 1, 4, 4, 4)), tmp_path / "model.ts")
    with pytest.raises(TumorTwinError, match="TorchScript program, which is not run: use the model.pt beside it"):
        read_weights(tmp_path / "model.ts")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 and no more"])
def test_what_is_no_weights_file_is_said(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(TumorTwinError, match="model.pt is no weights file of PyTorch or is damaged"):
        read_weights(tmp_path / "model.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TumorTwinError, match="gone.pt does not exist"):
        read_weights(tmp_path / "gone.pt")


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, {"state_dict": {}}])
def test_a_file_without_named_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(TumorTwinError, match="holds no weights by name"):
        read_weights(tmp_path / "model.pt")


def test_arrays_of_numpy_are_read(tmp_path):
    torch.save({"code": np.array([[1, 0], [0, 1]]), "node": np.float64(2.5)}, tmp_path / "code.pt")
    arrays = read_arrays(tmp_path / "code.pt")
    assert arrays["code"].tolist() == [[1, 0], [0, 1]]
    assert arrays["node"] == 2.5


def test_arrays_saved_by_an_older_numpy_are_read(tmp_path):
    """NumPy 1 had its core under another name, and older files call it that."""
    path = tmp_path / "old.pt"
    torch.save({"code": np.arange(3), "dice": np.float64(2.5)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"cnumpy._core.multiarray\n" in content
    path.write_bytes(content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert read_arrays(path)["code"].tolist() == [0, 1, 2]
    assert read_arrays(path)["dice"] == 2.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("0.bias"), "1 of 7 weights missing, first 0.bias: choose the file of this model"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 it does not have, first extra"),
        (lambda w: w.update({"0.bias": torch.zeros(5)}), r"0.bias is \(5,\) instead of \(2,\)"),
        (lambda w: w["0.bias"].fill_(float("nan")), "values that are not finite in 0.bias: get an undamaged copy"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(network, change, words):
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    change(weights)
    fresh = copy_of(network)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    with pytest.raises(TumorTwinError, match=words):
        fit_weights(fresh, weights, "model.pt")
    assert all(torch.equal(before[name], value) for name, value in fresh.state_dict().items())
