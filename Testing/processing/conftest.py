"""A network that outlines what is bright on FLAIR, installed as the user's own model."""

from __future__ import annotations

import pytest

from Testing.processing.bright_network import install_bright_network


@pytest.fixture
def bright_model(tmp_path, monkeypatch) -> str:
    """The name of a model that is ready to run and whose answer is known."""
    pytest.importorskip("monai")
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "models"))
    return install_bright_network()
