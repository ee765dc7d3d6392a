"""Frames over time to sequence nodes with a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import slicer


def filling_sequence(
    sequence, days: np.ndarray, proxy, fill_frame: Callable[[Any, int], Iterator[None]]
) -> Iterator[None]:
    """Replace the frames of a vtkMRMLSequenceNode, in steps of one frame or less.

    Args:
        days: (n,) index values, stored as numbers with the unit day.
        proxy: a node of the frames' class; frames are made alike.
        fill_frame: puts frame number n into the node it is given, which is outside the scene, in steps of its own.
    """
    empty_sequence(sequence)
    for number, day in enumerate(days):
        frame = new_frame(proxy, day)
        yield from fill_frame(frame, number)
        sequence.SetDataNodeAtValue(frame, index_value(day))
        yield


def empty_sequence(sequence) -> None:
    """No frames, and days to come."""
    sequence.RemoveAllDataNodes()
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("day")
    sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)


def new_frame(proxy, day: float):
    """A node for one day of the sequence that the proxy shows, outside the scene."""
    frame = slicer.mrmlScene.CreateNodeByClass(proxy.GetClassName())
    frame.UnRegister(None)  # CreateNodeByClass hands over a reference
    frame.SetName(f"{proxy.GetName()} day {day:g}")
    for attribute in proxy.GetAttributeNames():  # the proxy takes its attributes from the frame it shows
        frame.SetAttribute(attribute, proxy.GetAttribute(attribute))
    return frame


def index_value(day: float) -> str:
    """A day as sequences hold index values; enough digits for a minute in a century."""
    return f"{day:.10g}"


def browse(browser, sequences_and_proxies: Sequence[tuple], selected: int) -> None:
    """Let the browser play the sequences together, each in its own proxy node, and show frame ``selected``."""
    modifying = browser.StartModify()  # else a proxy of Slicer's own making appears before ours is named
    browser.SetIndexDisplayFormat("%.4g")
    for sequence, proxy in sequences_and_proxies:
        if not browser.IsSynchronizedSequenceNode(sequence, True):
            browser.AddSynchronizedSequenceNode(sequence)
            browser.AddProxyNode(proxy, sequence, False)
        browser.SetOverwriteProxyName(sequence, False)  # the proxy keeps its name, not that of the frame
        browser.SetSaveChanges(sequence, False)
    browser.SetSelectedItemNumber(selected)
    browser.EndModify(modifying)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
