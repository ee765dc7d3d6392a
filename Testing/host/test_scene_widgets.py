"""Stand-ins of qMRML widgets show what the scene holds and change it."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def place(host):
    """Puts a widget into the panel, tells it the scene, and takes it out after the test."""
    import slicer

    placed = []

    def put(widget):
        host.window.panel.widget().layout().addWidget(widget)
        widget.show()
        if hasattr(widget, "setMRMLScene"):
            widget.setMRMLScene(slicer.mrmlScene)
        host.process_events()
        placed.append(widget)
        return widget

    yield put
    for widget in placed:
        widget.delete()


def add(class_name, name, **attributes):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
    for key, value in attributes.items():
        node.SetAttribute(key, value)
    return node


@pytest.fixture
def segmentation(host):
    """Two segments, one a cube in the other's corner."""
    import slicer

    volume = add("vtkMRMLLabelMapVolumeNode", "labels")
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:18, 2:18, 2:18] = 1
    labels[5:9, 5:9, 5:9] = 2
    slicer.util.updateVolumeFromArray(volume, labels)
    node = add("vtkMRMLSegmentationNode", "tumor")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(volume, node)
    return node


class TestNodeComboBox:
    def test_only_nodes_of_the_type(self, place):
        import slicer

        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        place(selector)
        add("vtkMRMLTextNode", "text")
        scalar = add("vtkMRMLScalarVolumeNode", "scalar")
        add("vtkMRMLLabelMapVolumeNode", "labels")
        assert selector.nodeCount() == 2
        selector.showChildNodeTypes = False
        assert selector.nodes() == [scalar]

    def test_the_first_node_is_chosen_when_none_is_not_offered(self, place):
        import slicer

        first = slicer.qMRMLNodeComboBox()
        first.nodeTypes = ["vtkMRMLTextNode"]
        optional = slicer.qMRMLNodeComboBox()
        optional.nodeTypes = ["vtkMRMLTextNode"]
        optional.noneEnabled = True
        place(first)
        place(optional)
        node = add("vtkMRMLTextNode", "text")
        assert first.currentNode() is node
        assert optional.currentNode() is None
        assert optional.comboBox().currentText == "None"

    def test_hidden_and_attributed_nodes(self, place):
        import slicer

        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLTextNode"]
        selector.addAttribute("vtkMRMLTextNode", "TumorTwin", "run")
        place(selector)
        add("vtkMRMLTextNode", "other")
        run = add("vtkMRMLTextNode", "run")
        run.SetAttribute("TumorTwin", "run")
        hidden = add("vtkMRMLTextNode", "hidden", TumorTwin="run")
        hidden.SetHideFromEditors(True)
        selector.refresh()
        assert selector.nodes() == [run]
        selector.showHidden = True
        assert selector.nodes() == [run, hidden]

    def test_a_node_is_created_and_deleted_from_the_list(self, host, place):
        import slicer

        selector, created = slicer.qMRMLNodeComboBox(), []
        selector.nodeTypes = ["vtkMRMLTextNode"]
        selector.baseName = "notes"
        selector.nodeAddedByUser.connect(created.append)
        place(selector)
        host.choose(selector, "Create new Text...")
        assert created == [selector.currentNode()]
        assert created[0].GetName() == "notes"
        host.choose(selector, "Delete current Text...")
        assert selector.currentNode() is None
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0

    def test_one_signal_for_one_change(self, place):
        import slicer

        selector, seen = slicer.qMRMLNodeComboBox(), []
        selector.nodeTypes = ["vtkMRMLTextNode"]
        selector.noneEnabled = True
        place(selector)
        selector.currentNodeIDChanged.connect(seen.append)
        node = add("vtkMRMLTextNode", "text")
        selector.setCurrentNode(node)
        selector.setCurrentNode(node)
        selector.currentNodeID = ""
        assert seen == [node.GetID(), ""]


class TestSegments:
    def test_a_segment_is_chosen(self, place, segmentation):
        import slicer

        selector, seen = place(slicer.qMRMLSegmentSelectorWidget()), []
        selector.currentSegmentChanged.connect(seen.append)
        assert selector.currentNode() is segmentation
        first, second = (segmentation.GetSegmentation().GetNthSegmentID(number) for number in range(2))
        selector.setCurrentSegmentID(second)
        assert selector.currentSegmentID() == seen[-1] == second
        segmentation.GetSegmentation().RemoveSegment(second)
        assert selector.currentSegmentID() == first

    def test_several_segments(self, place, segmentation):
        import slicer

        selector = place(slicer.qMRMLSegmentSelectorWidget())
        selector.multiSelection = True
        second = segmentation.GetSegmentation().GetNthSegmentID(1)
        selector.setSelectedSegmentIDs([second])
        assert selector.selectedSegmentIDs() == [second]

    def test_surfaces_are_made_and_removed(self, host, place, segmentation):
        import slicer

        button = place(slicer.qMRMLSegmentationShow3DButton())
        assert not button.enabled
        button.setSegmentationNode(segmentation)
        host.click(button)
        surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        assert segmentation.GetSegmentation().ContainsRepresentation(surface)
        assert button.checked
        host.click(button)
        assert not segmentation.GetSegmentation().ContainsRepresentation(surface)
        assert not button.checked


class TestHierarchy:
    @pytest.fixture
    def tree(self, host):
        """A patient with a study with a volume; a text beside it."""
        import slicer

        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "VGBM_001")
        study = hierarchy.CreateStudyItem(patient, "day 0")
        volume = add("vtkMRMLScalarVolumeNode", "FLAIR")
        add("vtkMRMLTextNode", "notes")
        item = hierarchy.GetItemByDataNode(volume)
        hierarchy.SetItemParent(item, study)
        return {"patient": patient, "study": study, "item": item, "volume": volume}

    def test_the_tree_shows_the_hierarchy(self, place, tree):
        import qt
        import slicer

        view, seen = place(slicer.qMRMLSubjectHierarchyTreeView()), []
        view.connect("currentItemChanged(vtkIdType)", seen.append)
        (patient,) = view.findItems("VGBM_001", qt.Qt.MatchExactly)
        assert patient.child(0).text(0) == "day 0"
        assert patient.child(0).child(0).text(0) == "FLAIR"
        view.setCurrentNode(tree["volume"])
        assert view.currentItem() == seen[-1] == tree["item"]

    def test_filters_keep_the_branch(self, place, tree):
        import slicer

        view = place(slicer.qMRMLSubjectHierarchyTreeView())
        view.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        assert view.topLevelItemCount == 1
        assert view.topLevelItem(0).text(0) == "VGBM_001"

    def test_a_patient_is_chosen(self, host, place, tree):
        import slicer

        box = slicer.qMRMLSubjectHierarchyComboBox()
        box.setLevelFilter([slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()])
        place(box)
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        second = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "VGBM_002")
        assert [box.itemText(row) for row in range(box.count)] == ["VGBM_001", "VGBM_002"]
        host.choose(box, "VGBM_002")
        assert box.currentItem() == second
        hierarchy.RemoveItem(second)
        assert box.currentItem() == 0


class TestSequences:
    @pytest.fixture
    def browser(self, host):
        """Five texts at days 0, 30, 60..."""
        sequence = add("vtkMRMLSequenceNode", "density")
        sequence.SetIndexUnit("d")
        text = add("vtkMRMLTextNode", "frame")
        for day in range(0, 150, 30):
            text.SetText(str(day))
            sequence.SetDataNodeAtValue(text, str(day))
        browser = add("vtkMRMLSequenceBrowserNode", "days")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        return browser

    def test_seeking(self, host, place, browser):
        import slicer

        widget = place(slicer.qMRMLSequenceBrowserSeekWidget())
        assert not widget.enabled
        widget.setMRMLSequenceBrowserNode(browser)
        assert widget.slider().maximum == 4
        host.slide(widget.slider(), 2)
        assert browser.GetSelectedItemNumber() == 2
        assert browser.GetProxyNode(browser.GetMasterSequenceNode()).GetText() == "60"
        browser.SetSelectedItemNumber(4)
        assert widget.slider().value == 4
        assert widget.findChild("QLabel").text == "120 d"

    def test_playing(self, host, place, browser):
        import slicer

        widget = place(slicer.qMRMLSequenceBrowserPlayWidget())
        widget.setMRMLSequenceBrowserNode(browser)
        browser.SetPlaybackRateFps(50)
        browser.SetPlaybackLooped(False)
        host.click(widget.pushButton_VcrLast)
        assert browser.GetSelectedItemNumber() == 4
        host.click(widget.pushButton_VcrFirst)
        host.click(widget.pushButton_VcrPlay)
        host.wait_until(lambda: browser.GetSelectedItemNumber() == 4)
        host.wait_until(lambda: not browser.GetPlaybackActive())
        assert not widget.pushButton_VcrPlay.checked


class TestTablesAndCharts:
    @pytest.fixture
    def table(self, host):
        import vtk

        node = add("vtkMRMLTableNode", "volumes")
        for name, values in (("day", (0, 30, 60)), ("volume", (1.5, 2.5, 4.0))):
            column = vtk.vtkDoubleArray()
            column.SetName(name)
            for value in values:
                column.InsertNextValue(value)
            node.AddColumn(column)
        return node

    def test_a_table_is_shown_and_edited(self, host, place, table):
        import slicer

        view = place(slicer.qMRMLTableView())
        view.setMRMLTableNode(table)
        assert (view.rowCount, view.columnCount) == (3, 2)
        assert view.horizontalHeaderItem(1).text() == "volume"
        host.edit_cell(view, 1, 1, "2.75")
        assert table.GetTable().GetValueByName(1, "volume").ToDouble() == 2.75
        table.SetCellText(0, 0, "5")
        assert view.item(0, 0).text() == "5"

    def test_a_chart_is_drawn(self, host, place, tmp_path):
        import slicer

        view = slicer.qMRMLPlotView()
        view.setMinimumHeight(300)
        place(view)
        host.screenshot(tmp_path / "empty.png")
        assert view.pixmap.isNull()
        chart = slicer.util.plot(np.array([[0, 1.5], [30, 2.5]]), xColumnIndex=0, show=False)
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode") or add("vtkMRMLPlotViewNode", "plot")
        node.SetPlotChartNodeID(chart.GetID())
        view.setMRMLPlotViewNode(node)
        host.screenshot(tmp_path / "chart.png")
        assert not view.pixmap.isNull()


def test_a_number_takes_the_scenes_unit(host, place):
    import slicer

    slider = slicer.qMRMLSliderWidget()
    slider.quantity = "length"
    place(slider)
    unit = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton").GetUnitNode("length")
    assert slider.suffix == (unit.GetSuffix() if unit is not None else "")


def test_widgets_that_are_gone_leave_the_scene_alone(host):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLTextNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    node = add("vtkMRMLTextNode", "text")
    selector.delete()
    node.SetName("renamed")
    slicer.mrmlScene.RemoveNode(node)
    add("vtkMRMLTextNode", "another")
    host.process_events()
