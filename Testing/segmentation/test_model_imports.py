"""Bundles of MONAI and nnU-Nets brought by the user: understood as data, refused where they want code to run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.bundles import describe_bundle
from TumorTwinLib.segmentation.description import NNUNET, OutputChannel
from TumorTwinLib.segmentation.description_file import read_description
from TumorTwinLib.segmentation.folders import shipped_models_folder
from TumorTwinLib.segmentation.loading import load_network
from TumorTwinLib.segmentation.networks import build_network
from TumorTwinLib.segmentation.nnunet import describe_nnunet
from TumorTwinLib.segmentation.store import ModelStore

torch = pytest.importorskip("torch")
nets = pytest.importorskip("monai.networks.nets")

METADATA = {
    "version": "0.1.0",
    "name": "Small brain model",
    "task": "Brain tumor segmentation",
    "description": "A small model of brain tumors",
    "network_data_format": {
        "inputs": {"image": {"modality": "MR", "channel_def": {"0": "T1c", "1": "FLAIR"}}},
        "outputs": {"pred": {"channel_def": {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"}}},
    },
}
INFERENCE = {
    "imports": ["$import os"],
    "channels": 2,
    "output_dir": "$os.makedirs('it_ran')",
    "network_def": {
        "_target_": "monai.networks.nets.SegResNet",
        "in_channels": "@channels",
        "out_channels": 3,
        "init_filters": 8,
        "blocks_down": [1, 1],
        "blocks_up": [1],
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "LPS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [32, 32, 32]},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x"},
        ],
    },
}


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "user")


def write_bundle(folder, metadata=METADATA, inference=INFERENCE):
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").write_text("raise SystemExit('a script of the bundle ran')")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    torch.manual_seed(5)
    network = nets.SegResNet(in_channels=2, out_channels=3, init_filters=8, blocks_down=[1, 1], blocks_up=[1])
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "small_bundle")


def zipped(folder):
    """Puts folder.zip beside the folder."""
    shutil.make_archive(str(folder), "zip", folder.parent, folder.name)


def test_a_bundle_is_understood_without_running_it(bundle, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    description = store.import_model(bundle)
    assert (description.name, description.title, description.organ) == ("small_bundle", "Small brain model", "brain")
    assert description.modalities == ("T1CE", "FLAIR")
    assert (description.spacing_mm, description.orientation) == ((1.5, 1.5, 2.0), "LPS")
    assert (description.normalization, description.decoding) == ("zscore_nonzero", "sigmoid_tc_wt_et")
    assert description.outputs == (
        OutputChannel("tumor_core", 1),
        OutputChannel("whole_tumor", 2),
        OutputChannel("enhancing", 4),
    )
    assert description.window == (32, 32, 32)
    assert description.network.arguments["in_channels"] == 2  # a reference was followed
    assert not (tmp_path / "it_ran").exists()
    network = load_network(store.description("small_bundle"), store=store)
    with torch.inference_mode():
        assert network(torch.ones(1, 2, 16, 16, 16)).shape == (1, 3, 16, 16, 16)
    names = sorted(path.name for path in (store.user_folder / "small_bundle").iterdir())
    assert names == ["installed.json", "model.json", "model.pt"]  # no scripts


def test_an_archive_of_a_bundle_and_another_name(bundle, store):
    zipped(bundle)
    shutil.rmtree(bundle)
    description = store.import_model(bundle.with_suffix(".zip"), "of_our_clinic")
    assert description.name == "of_our_clinic"
    assert store.is_installed(store.description("of_our_clinic"))
    assert [path.name for path in store.user_folder.iterdir()] == ["of_our_clinic"]


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("network_def", "in_channels"), "$__import__('os').getpid()", r"network_def.in_channels is the expression"),
        (("network_def", "in_channels"), "@nowhere", "network_def.in_channels is the expression '@nowhere'"),
        (("channels",), "@channels", "is the expression '@channels'"),  # refers to itself
        (("network_def", "_target_"), "subprocess.Popen", "network.name must be one of SegResNet"),
        (
            ("network_def", "_target_"),
            "monai.networks.nets.TorchVisionFCModel",
            "network.name must be one of SegResNet",
        ),
        (("network_def",), "$SegResNet()", "has no network_def with a _target_"),
        (("network_def", "norm"), {"name": "$evil()"}, "network_def.norm is the expression"),
        (("preprocessing", "transforms", 2, "pixdim"), "$[1, 1, 1]", "preprocessing.pixdim is the expression"),
        (("preprocessing", "transforms", 0, "_target_"), "scripts.evil.Load", "prepares images by Load"),
        (
            ("preprocessing", "transforms", 3, "_target_"),
            "ScaleIntensityRanged",
            "scales intensities by ScaleIntensity",
        ),
        (("preprocessing", "transforms"), "$evil()", "has no list preprocessing.transforms"),
        (("inferer", "roi_size"), "$[96] * 3", "inferer.roi_size is the expression"),
    ],
)
def test_what_would_have_to_run_is_refused(tmp_path, store, where, value, words):
    config = json.loads(json.dumps(INFERENCE))
    place = config
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    with pytest.raises(TumorTwinError, match=words):
        store.import_model(write_bundle(tmp_path / "b", inference=config))
    assert list(store.user_folder.iterdir()) == []


def test_images_and_regions_nobody_knows_are_asked_for(tmp_path, store):
    metadata = json.loads(json.dumps(METADATA))
    metadata["network_data_format"]["inputs"]["image"]["channel_def"] = {"0": "a", "1": "b"}
    bundle = write_bundle(tmp_path / "b", metadata)
    with pytest.raises(TumorTwinError, match="calls its images a, b: import it again and name the modalities"):
        store.import_model(bundle)
    assert store.import_model(bundle, modalities=["T2", "ADC"]).modalities == ("T2", "ADC")
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"]["0"] = "liver"
    with pytest.raises(TumorTwinError, match="gives liver, Whole tumor, Enhancing tumor by sigmoids"):
        store.import_model(write_bundle(tmp_path / "c", metadata))


def test_a_bundle_of_ct_with_labels(tmp_path):
    metadata = json.loads(json.dumps(METADATA))
    formats = metadata["network_data_format"]
    formats["inputs"]["image"] = {"modality": "CT", "channel_def": {"0": "image"}}
    formats["outputs"]["pred"]["channel_def"] = {"0": "background", "1": "pancreas", "2": "pancreatic tumor"}
    metadata["description"] = "pancreas"
    config = json.loads(json.dumps(INFERENCE))
    config["preprocessing"]["transforms"][3] = {
        "_target_": "ScaleIntensityRanged", "a_min": -87, "a_max": 199, "b_min": 0, "b_max": 1, "clip": True
    }  # fmt: skip
    config["postprocessing"]["transforms"][0] = {"_target_": "AsDiscreted", "argmax": True}
    description = describe_bundle(write_bundle(tmp_path / "b", metadata, config), "ct")
    assert (description.modalities, description.organ, description.decoding) == (("CT",), "pancreas", "softmax")
    assert description.normalization_arguments == {"lower_hu": -87.0, "upper_hu": 199.0}
    assert [(o.name, o.label) for o in description.outputs] == [
        ("background", 0), ("pancreas", 1), ("pancreatic_tumor", 2)
    ]  # fmt: skip


def test_weights_of_another_network_are_refused(bundle, store):
    torch.save({"w": torch.zeros(1)}, bundle / "models" / "model.pt")
    with pytest.raises(TumorTwinError, match="model.pt does not fit SegResNet"):
        store.import_model(bundle)
    assert list(store.user_folder.iterdir()) == []


def test_what_is_no_model_is_said(tmp_path, store):
    (tmp_path / "folder").mkdir()
    with pytest.raises(TumorTwinError, match=r"is neither a MONAI bundle .* nor a trained nnU-Net"):
        store.import_model(tmp_path / "folder")
    (tmp_path / "a.zip").write_bytes(b"<html>")
    with pytest.raises(TumorTwinError, match=r"is no whole .zip"):
        store.import_model(tmp_path / "a.zip")


def test_the_name_of_a_bundle_may_not_lead_elsewhere(bundle, store):
    with pytest.raises(TumorTwinError, match="name must be letters"):
        store.import_model(bundle, "../evil")
    assert not (store.user_folder.parent / "evil").exists()


def test_a_known_bundle_fills_our_description_offline(tmp_path, store, monkeypatch):
    """The zoo's archive from a USB stick: our description counts, not the archive's."""
    ours = read_description(shipped_models_folder() / "brats_mri_segmentation.json")
    small = {"in_channels": 2, "out_channels": 3, "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]}
    ours = replace(ours, network=replace(ours.network, arguments=small))
    monkeypatch.setattr(store, "descriptions", lambda: {ours.name: ours})
    folder = write_bundle(tmp_path / "brats_mri_segmentation")
    (folder / "configs" / "inference.json").write_text("no JSON at all")
    zipped(folder)
    assert store.import_model(tmp_path / "brats_mri_segmentation.zip") == ours
    assert load_network(ours, store=store) is not None
    assert not (store.user_folder / ours.name / "model.json").exists()


def test_our_own_model_is_not_replaced_by_an_import(bundle, store):
    with pytest.raises(TumorTwinError, match="There is a model 'tumortwin_brain' already: import .* another name"):
        store.import_model(bundle, "tumortwin_brain")


def test_without_pytorch_nothing_is_imported(bundle, store, monkeypatch):
    monkeypatch.setattr("TumorTwinLib.segmentation.importing.missing_package", lambda _spec: "torch")
    with pytest.raises(TumorTwinError, match="cannot be checked without the package torch"):
        store.import_model(bundle)
    assert list(store.user_folder.iterdir()) == []


# nnU-Net

ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
PLANS = {
    "dataset_name": "Dataset001_BrainTumour",
    "plans_name": "nnUNetPlans",
    "transpose_forward": [1, 0, 2],
    "configurations": {
        "3d_fullres": {
            "patch_size": [16, 24, 32],
            "spacing": [1.0, 0.9, 0.8],
            "normalization_schemes": ["ZScoreNormalization"] * 2,
            "use_mask_for_norm": [True, True],
            "architecture": ARCHITECTURE,
        },
        "3d_cascade": {"inherits_from": "3d_fullres", "spacing": [2.0, 2.0, 2.0]},
    },
}
DATASET = {
    "channel_names": {"0": "FLAIR", "1": "T1w"},
    "labels": {"background": 0, "edema": 1, "non-enhancing tumor": 2, "enhancing tumour": 3},
    "file_ending": ".nii.gz",
}
REGIONS = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}


def write_nnunet(folder, plans=PLANS, dataset=DATASET):
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"")
    return folder


def test_an_nnunet_is_understood(tmp_path):
    description = describe_nnunet(write_nnunet(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres"), "mine")
    assert (description.organ, description.modalities, description.needs_brain_mask) == ("brain", ("FLAIR", "T1"), True)
    assert description.network.kind == NNUNET
    assert description.network.name == "PlainConvUNet"
    assert description.spacing_mm == (1.0, 0.9, 0.8)
    assert description.orientation == "PSL"  # k, j, i of an LPS file, its first two axes exchanged by the plans
    assert (description.normalization, description.decoding) == ("zscore_nonzero", "softmax")
    assert [(o.name, o.label) for o in description.outputs] == [
        ("background", 0), ("edema", 2), ("non_enhancing_tumor", 1), ("enhancing_tumour", 4)
    ]  # fmt: skip
    assert description.weights.file == "checkpoint_final.pth"


def test_a_configuration_inherits_what_it_does_not_say(tmp_path):
    description = describe_nnunet(write_nnunet(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_cascade"), "mine")
    assert (description.spacing_mm, description.window) == ((2.0, 2.0, 2.0), (16, 24, 32))


def test_regions_of_an_nnunet_keep_their_order(tmp_path):
    folder = write_nnunet(tmp_path / "m__p__3d_fullres", dataset=DATASET | {"labels": REGIONS})
    description = describe_nnunet(folder, "mine")
    assert description.decoding == "sigmoid_tc_wt_et"
    assert [output.name for output in description.outputs] == ["whole_tumor", "tumor_core", "enhancing"]


def test_an_nnunet_of_ct_has_its_own_window(tmp_path):
    plans = json.loads(json.dumps(PLANS)) | {
        "foreground_intensity_properties_per_channel": {
            "0": {"percentile_00_5": -96, "percentile_99_5": 215, "mean": 77.9, "std": 75.4, "max": 3000}
        }
    }
    plans["configurations"]["3d_fullres"] |= {
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
    }
    dataset = DATASET | {"channel_names": {"0": "CT"}, "labels": {"background": 0, "lesion": 1}}
    description = describe_nnunet(write_nnunet(tmp_path / "m__p__3d_fullres", plans, dataset), "lung_lesions")
    expected = {"lower_hu": -96.0, "upper_hu": 215.0, "mean_hu": 77.9, "sd_hu": 75.4}
    assert (description.normalization, description.normalization_arguments) == ("ct_zscore", expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("architecture"), "as before nnU-Net 2.4"),
        (
            lambda c: c["architecture"].update(network_class_name="os.system"),
            "network.name must be one of PlainConvUNet",
        ),
        (lambda c: c["architecture"]["arch_kwargs"].update(conv_op="os.system"), "names the layer os.system"),
        (lambda c: c.update(normalization_schemes=["RescaleTo01Normalization"]), "scales intensities by RescaleTo01"),
    ],
)
def test_an_nnunet_beyond_understanding_is_refused(tmp_path, change, words):
    plans = json.loads(json.dumps(PLANS))
    change(plans["configurations"]["3d_fullres"])
    with pytest.raises(TumorTwinError, match=words):
        describe_nnunet(write_nnunet(tmp_path / "m__p__3d_fullres", plans), "mine")


def test_an_nnunet_that_never_finished(tmp_path):
    folder = write_nnunet(tmp_path / "m__p__3d_fullres")
    (folder / "fold_0" / "checkpoint_final.pth").unlink()
    with pytest.raises(TumorTwinError, match=r"has no fold_0/checkpoint_final.pth"):
        describe_nnunet(folder, "mine")


def test_an_imported_nnunet_runs_in_place_of_the_empty_one(tmp_path, store):
    pytest.importorskip("dynamic_network_architectures")
    folder = write_nnunet(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    network = build_network(describe_nnunet(folder, "m").network, "m", folder)
    checkpoint = {"network_weights": network.state_dict(), "trainer_name": "nnUNetTrainer", "init_args": {"fold": 0}}
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    description = store.import_model(folder, "nnunet_brain_tumor")
    assert store.description("nnunet_brain_tumor") == description
    loaded = load_network(description, store=store)
    with torch.inference_mode():
        image = torch.rand(1, 2, 16, 16, 16)
        assert torch.equal(loaded(image), network.eval()(image))
    assert loaded(image).shape == (1, 4, 16, 16, 16)


def test_a_searched_network_is_built_from_its_file(tmp_path):
    """The pancreas model of the zoo keeps its architecture beside its weights."""
    ours = read_description(shipped_models_folder() / "pancreas_ct_dints_segmentation.json")
    torch.save(
        {
            "arch_code_a": np.ones((12, 10)),
            "arch_code_c": np.ones((12, 10), dtype=np.int64),
            "node_a": np.ones((13, 4)),
        },
        tmp_path / "search_code_18590.pt",
    )
    network = build_network(ours.network, "m", tmp_path).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 32, 32, 32)).shape == (1, 3, 32, 32, 32)
    (tmp_path / "search_code_18590.pt").unlink()
    with pytest.raises(TumorTwinError, match="search_code_18590.pt does not exist"):
        build_network(ours.network, "m", tmp_path)
    elsewhere = replace(ours.network, arguments=ours.network.arguments | {"architecture_file": "../other.pt"})
    with pytest.raises(TumorTwinError, match="not in its folder"):
        build_network(elsewhere, "m", tmp_path)
