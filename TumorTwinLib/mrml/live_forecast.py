"""A forecast that appears in the scene day by day, while it is being solved."""

from __future__ import annotations

from pathlib import Path

from TumorTwinLib.jobs.frames import Frame, read_frame
from TumorTwinLib.mrml.density import fill_density, style_density
from TumorTwinLib.mrml.forecast import FOLDER, TimeNodes, time_nodes
from TumorTwinLib.mrml.result_kinds import MAPS, TABLES
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, folder_item, remove_whole, study_item
from TumorTwinLib.mrml.sequences import empty_sequence, index_value, new_frame

_MORE_TABLES = ("curve", "measured", "draws", "bands")  # that the panel does not show
_PREVIEW = " (preview)"


class LiveForecast:
    """Puts frames of a job into the nodes that ``show_forecast`` will fill when the job is done.

    The first frame clears what an earlier run left there, since regions and tables of one forecast beside the density
    of another would mislead. Frames of the fit so far are called previews; the first frame of the forecast itself
    clears them again. Whatever is there when a job is stopped stays.

    Args:
        patient_id: whose forecast.
        run: which set of nodes, as in ``show_forecast``.
    """

    def __init__(self, patient_id: str, run: str = "TumorTwin") -> None:
        self._patient_id, self._run = patient_id, run
        self._preview: bool | None = None  # what is shown now
        self._followed = -1  # the day shown last; a user who has gone elsewhere is left there

    def add(self, job: Path, frame: Frame) -> TimeNodes:
        """Show one day, in place of an earlier frame of that day.

        Args:
            job: folder that the frame lies in.

        Raises:
            TumorTwinError: the frame cannot be read. The scene is then as it was.
        """
        image = read_frame(job, frame)
        nodes = RunNodes(self._patient_id, self._run)
        name = self._patient_id if self._run == "TumorTwin" else f"{self._patient_id} {self._run}"
        at = time_nodes(nodes, name)
        if frame.preview is not self._preview:
            self._preview = frame.preview
            self._clear(nodes, at)
        if frame.preview:
            at.density.SetName(at.density.GetName() + _PREVIEW)
        node = new_frame(at.density, frame.day)
        fill_density(node, image.array, image.grid)
        at.density_sequence.SetDataNodeAtValue(node, index_value(frame.day))
        number = at.density_sequence.GetItemNumberFromIndexValue(index_value(frame.day))
        selected = at.browser.GetSelectedItemNumber()
        at.browse(number if selected in (-1, self._followed) else selected)
        self._followed = at.browser.GetSelectedItemNumber() if selected in (-1, self._followed) else self._followed
        if at.density_sequence.GetNumberOfDataNodes() == 1:  # before it, there was nothing to look at
            style_density(at.density, at.color_table)
            file_under(folder_item(study_item(self._patient_id, self._run), FOLDER), [at.density])
        return at

    def _clear(self, nodes: RunNodes, at: TimeNodes) -> None:
        at.browser.SetSelectedItemNumber(-1)
        self._followed = -1
        for sequence in (at.density_sequence, at.regions_sequence):
            empty_sequence(sequence)
        at.regions.GetSegmentation().RemoveAllSegments()
        for kind in MAPS:
            sequence = nodes.find(f"{kind.role}_sequence")
            if sequence is not None and sequence is not at.density_sequence:
                remove_whole(at.browser.GetProxyNode(sequence))
                remove_whole(sequence)
        for role in (*(kind.role for kind in TABLES), *_MORE_TABLES):
            table = nodes.find(role)
            if table is not None:
                table.GetTable().SetNumberOfRows(0)
                table.Modified()
        provenance = nodes.find("provenance")
        if provenance is not None:
            provenance.SetText("")
