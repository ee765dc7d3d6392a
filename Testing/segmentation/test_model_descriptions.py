"""Descriptions of models: ours are complete and true to their networks, others say only what they may."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.description import MONAI, SIGMOID_TC_WT_ET, NetworkSpec
from TumorTwinLib.segmentation.description_file import parse_description, read_description, write_description
from TumorTwinLib.segmentation.folders import shipped_models_folder
from TumorTwinLib.segmentation.networks import NETWORKS, build_network

OURS = sorted(path.stem for path in shipped_models_folder().glob("*.json"))


def ours(name):
    return read_description(shipped_models_folder() / f"{name}.json")


def test_the_models_that_were_promised_are_there():
    assert set(OURS) >= {
        "tumortwin_brain", "brats_segresnet", "brats_mri_segmentation", "nnunet_brain_tumor", "prostate_mri_anatomy",
        "pancreas_ct_dints_segmentation", "wholeBody_ct_segmentation",
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_ours_are_named_as_their_files_and_survive_writing(name, tmp_path):
    description = ours(name)
    assert description.name == name
    write_description(tmp_path / "copy.json", description)
    assert read_description(tmp_path / "copy.json") == description
    assert [path.name for path in tmp_path.iterdir()] == ["copy.json"]


@pytest.mark.parametrize("name", OURS)
def test_every_download_can_be_checked_and_is_licensed(name):
    weights = ours(name).weights
    assert weights.licence
    if weights.url is not None:
        assert weights.sha256 or weights.download_sha1
        assert weights.licence_url.startswith("https://")
        assert weights.citation


@pytest.mark.parametrize(
    "name", [name for name in OURS if name not in {"nnunet_brain_tumor", "pancreas_ct_dints_segmentation"}]
)
def test_networks_have_the_described_channels(name, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai")
    description = ours(name)
    with torch.inference_mode():
        network = build_network(description.network, name, tmp_path).eval()
        result = network(torch.zeros(1, len(description.modalities), 32, 32, 32))
    assert result.shape == (1, len(description.outputs), 32, 32, 32)


def test_the_bundle_of_monai_has_its_own_order_of_channels():
    """Its metadata: T1c, T1, T2, FLAIR in; tumor core, whole tumor, enhancing tumor out."""
    description = ours("brats_mri_segmentation")
    assert description.modalities == ("T1CE", "T1", "T2", "FLAIR")
    assert description.decoding == SIGMOID_TC_WT_ET
    assert [output.name for output in description.outputs] == ["tumor_core", "whole_tumor", "enhancing"]


def test_shipped_weights_are_those_of_the_description():
    description = ours("tumortwin_brain")
    assert description.weights.shipped
    file = shipped_models_folder() / description.weights.file
    if not file.is_file():
        pytest.skip("the weights are not trained yet: run make train")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == description.weights.sha256
    assert file.stat().st_size < 20_000_000


@pytest.fixture
def data():
    return json.loads((shipped_models_folder() / "brats_mri_segmentation.json").read_text())


def test_the_fixture_is_a_good_description(data):
    assert parse_description(data, "m.json") == ours("brats_mri_segmentation")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("name",), "../evil", "name must be letters, digits"),
        (("title",), "", "title must be a short text"),
        (("organ",), "knee", "organ must be one of brain, prostate"),
        (("modalities",), [], "modalities must be a list of upper case names"),
        (("modalities",), ["t1"], "modalities must be a list of upper case names"),
        (("smallest_enhancing_ml",), -1, "smallest_enhancing_ml must be a volume from 0 to 10 mL"),
        (("colour",), "red", "unknown field colour"),
        (("network", "kind"), "script", "network.kind must be one of monai, nnunet"),
        (("network", "name"), "os.system", "network.name must be one of SegResNet"),
        (("network", "arguments"), [1], "network.arguments must be an object"),
        (("network", "code"), "x", "unknown field network.code"),
        (("spacing_mm",), [1, 1], "spacing_mm must be three sizes"),
        (("spacing_mm",), [1, 1, 0], "spacing_mm must be three sizes"),
        (("spacing_mm",), [True, 1, 1], "spacing_mm must be three sizes"),
        (("orientation",), "RAR", "orientation must be three letters"),
        (("orientation",), "rasx", "orientation must be three letters"),
        (("normalization",), "magic", "normalization must be one of zscore_brain"),
        (("normalization",), "ct_window", "normalization_arguments must be a number for each of"),
        (("normalization_arguments",), {"x": 1}, "normalization_arguments must be"),
        (("decoding",), "argmax", "decoding must be one of softmax"),
        (("outputs",), [], "outputs must be a list of one entry"),
        (("outputs", 0, "name"), "liver", "outputs must be the regions tumor_core, whole_tumor, enhancing, each once"),
        (("outputs", 0, "label"), 4, "outputs must be a different label for each channel"),
        (("outputs", 0, "label"), -1, r"outputs\[0\] must be"),
        (("window",), [96, 96, 4], "window must be three whole numbers from 8 to 512"),
        (("window",), [96, 96, 96.5], "window must be three whole numbers"),
        (("needs_brain_mask",), "yes", "needs_brain_mask must be true or false"),
        (("weights", "file"), "../../model.pt", "weights.file must be a file name without folders"),
        (("weights", "file"), "other.pt", "weights.archive_members must be a list that holds other.pt"),
        (("weights", "url"), "http://example.org/m.zip", "weights.url must be an https:// address"),
        (("weights", "url"), "file:///etc/passwd", "weights.url must be an https:// address"),
        (("weights", "archive_members"), ["../model.pt"], "weights.archive_members must be a list of paths inside"),
        (("weights", "archive_members"), ["/model.pt"], "weights.archive_members must be a list of paths inside"),
        (("weights", "sha256"), "ABC", "weights.sha256 must be 64 lower case"),
        (("weights", "size_bytes"), -3, "weights.size_bytes must be a positive number"),
        (("weights", "licence"), None, "weights.licence must be a short text"),
    ],
)
def test_a_wrong_value_is_one_sentence_with_file_and_field(data, path, value, words):
    changed = copy.deepcopy(data)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(TumorTwinError, match=words) as caught:
        parse_description(changed, "m.json")
    assert str(caught.value).startswith("m.json")


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"name": NaN}', "[" * 100_000])
def test_a_file_that_is_no_description(tmp_path, content):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(TumorTwinError, match=r"m.json (is no valid JSON|holds no object)"):
        read_description(tmp_path / "m.json")


def test_weights_given_as_a_description(tmp_path):
    (tmp_path / "m.json").write_bytes(bytes(5_000_000))
    with pytest.raises(TumorTwinError, match="too large for a description"):
        read_description(tmp_path / "m.json")


def test_only_listed_networks_are_built(tmp_path):
    pytest.importorskip("monai")
    assert "TorchVisionFCModel" not in NETWORKS[MONAI]  # a class of MONAI that downloads when it is built
    with pytest.raises(TumorTwinError, match="not one of those allowed"):
        build_network(NetworkSpec(MONAI, "TorchVisionFCModel", {}), "m", tmp_path)


def test_arguments_a_network_does_not_take(tmp_path):
    pytest.importorskip("monai")
    with pytest.raises(TumorTwinError, match="m: SegResNet does not take these arguments .*colour"):
        build_network(NetworkSpec(MONAI, "SegResNet", {"colour": "red"}), "m", tmp_path)


def test_a_network_that_would_fill_the_memory(tmp_path):
    pytest.importorskip("monai")
    arguments = {"spatial_dims": 3, "in_channels": 4, "out_channels": 3, "init_filters": 4096}
    with pytest.raises(TumorTwinError, match=r"describes a network of .* parameters"):
        build_network(NetworkSpec(MONAI, "SegResNet", arguments), "m", tmp_path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    from TumorTwinLib.segmentation import networks

    found = networks.importlib.util.find_spec
    monkeypatch.setattr(
        networks.importlib.util, "find_spec", lambda name, *a: None if name == "monai" else found(name, *a)
    )
    with pytest.raises(TumorTwinError, match="m needs the package monai, which is not installed"):
        build_network(NetworkSpec(MONAI, "SegResNet", {}), "m", tmp_path)
