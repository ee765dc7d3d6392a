"""A scripted module in the host: loaded, clicked, photographed."""

from __future__ import annotations


def test_the_real_module_is_shown(host, repository, tmp_path):
    panel = host.load_module(repository / "TumorTwin" / "TumorTwin.py")
    assert panel.parent.isEntered
    assert host.screenshot(tmp_path / "panel.png").stat().st_size > 10_000
