"""Tests of the host itself."""

from __future__ import annotations

from Testing.host.fixtures import host, slicer_window

__all__ = ["host", "slicer_window"]
