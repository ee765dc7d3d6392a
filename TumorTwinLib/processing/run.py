"""One run of the imaging pipeline: which steps there are, and what each follows from."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.bias import correct_bias
from TumorTwinLib.imaging.registration import Registration
from TumorTwinLib.imaging.transforms import apply
from TumorTwinLib.labels import WHOLE_REGIONS, regions_from_labels
from TumorTwinLib.patient.data import MODALITIES as PATIENT_MODALITIES
from TumorTwinLib.patient.treatment_csv import read_treatment_csv, write_treatment_csv
from TumorTwinLib.processing import anatomy, outlines
from TumorTwinLib.processing.alignment import align_across, align_within, common_grid, matrix_of
from TumorTwinLib.processing.pipeline import IMAGING, SEGMENTATION, ImagingPipeline, StepProgress
from TumorTwinLib.processing.preprocessing import INTENSITY_MODALITIES, described
from TumorTwinLib.processing.record import Made, Record, Step, file_hash, fingerprint, write_text
from TumorTwinLib.processing.scans import PatientScans
from TumorTwinLib.segmentation.features import feature_rows, region_features, write_feature_table
from TumorTwinLib.segmentation.registry import runnable_model
from TumorTwinLib.segmentation.result import accept_segmentation
from TumorTwinLib.volume_files import read_volume


class PipelineRun:
    """The steps of one patient, in order.

    Args:
        shared: files of a brain mask and tissue maps made elsewhere, by name.
        tell: told before each step.
        stop: asked before each step; True ends the run with a CancelledError.
    """

    def __init__(
        self,
        pipeline: ImagingPipeline,
        scans: PatientScans,
        shared: Mapping[str, Path],
        output: Path,
        tell: Callable[[StepProgress], None],
        stop: Callable[[], bool],
    ) -> None:
        self._pipeline, self._scans, self._shared = pipeline, scans, shared
        self._tell, self._stop = tell, stop
        self._behind, self._stage = 0, IMAGING
        self.computed: list[str] = []
        self.record = Record(output, self._before)
        self._images: dict[tuple[int, str], Step] = {}  # by number of the visit and modality
        self._within: dict[int, Step] = {}
        self._segmented: dict[int, Step] = {}

    def make(self, treatment_file: Path | None) -> None:
        """All steps; the folder is a patient folder when this returns."""
        pipeline = self._pipeline
        settings = {name: value for name, value in vars(pipeline).items() if name != "preprocessing"}
        self.record.describe(
            patient_id=self._scans.patient_id,
            settings={**settings, "preprocessing": fingerprint(described(pipeline.preprocessing))},
            inputs={visit.label: {**visit.hashes, **visit.outlines} for visit in self._scans.visits},
        )
        numbers = range(len(self._scans.visits))
        self._enter(IMAGING)
        for number in numbers:
            self._align(number)
        for number in numbers:
            for modality in self._scans.visits[number].hashes:
                self._image(number, modality)
        if self._first_with_scans is not None:
            self._brain()
        self._enter(SEGMENTATION)
        for number in numbers:
            self._segment(number)
        tissues = self._tissues()
        self._features()
        self._patient_files(treatment_file, tissues)
        self.record.finish()

    # Progress

    @property
    def _total(self) -> int:
        visits = self._scans.visits
        return sum(len(visit.hashes) + 3 for visit in visits) + 5

    def _before(self, name: str) -> None:
        if self._stop():
            raise CancelledError("Stopped on request; the steps that were done are kept, and a next run continues.")
        self.computed.append(name)
        self._say(name, 0.0)

    def _enter(self, stage: str) -> None:
        """Tells the stage even where all its steps are done already. Tissues and features follow the outlines."""
        self._stage = stage
        self._say(stage, 0.0)

    def _say(self, name: str, share: float) -> None:
        self._tell(StepProgress(self._stage, name, min(self._behind + share, self._total), self._total))

    def _step(self, name: str, follows_from: Mapping[str, Any], make: Callable[[], Made]) -> Step:
        step = self.record.step(name, follows_from, make)
        self._behind += 1
        return step

    # Scans on one grid

    @functools.cached_property
    def _first_with_scans(self) -> int | None:
        return next((number for number, visit in enumerate(self._scans.visits) if visit.hashes), None)

    def _align(self, number: int) -> None:
        visit = self._scans.visits[number]
        if not visit.hashes:
            return
        follows = {"scans": visit.hashes, "preprocessing": described(self._pipeline.preprocessing)}
        self._within[number] = self._step(
            f"register {visit.label}", follows, lambda: align_within(self._scans.images(number), visit.label)
        )

    def _matrices(self, number: int) -> dict[str, np.ndarray]:
        """By modality, from a scan's own frame to the common one."""
        to_common = self._across(number)
        return {name: to_common @ matrix_of(scan) for name, scan in self._within[number].values["scans"].items()}

    @functools.cache  # noqa: B019  lives for one run
    def _across(self, number: int) -> np.ndarray:
        first = self._first_with_scans
        if number == first or first is None:
            return np.eye(4)
        follows = {"first": self._within[first].fingerprint, "this": self._within[number].fingerprint}
        visit = self._scans.visits[number].label

        def make() -> Made:
            references = [self._within[n].values["reference"] for n in (first, number)]
            scans = [self._scans.images(n)[name] for n, name in zip((first, number), references, strict=True)]
            return align_across(*scans)

        return matrix_of(self._step(f"register {visit} to the first visit", follows, make).values["scan"])

    @functools.cached_property
    def _grid(self) -> Grid:
        first = self._first_with_scans
        spacing = self._pipeline.spacing_mm

        def make() -> Made:
            if first is None:
                template = next(iter(self._scans.outlines(0).values()))
            else:
                template = self._scans.images(first)[self._within[first].values["reference"]]
            return Made(values=common_grid(template, spacing).to_dict())

        follows = self._scans.visits[0].outlines if first is None else self._within[first].fingerprint
        return Grid.from_dict(dict(self._step("grid", {"from": follows, "spacing_mm": spacing}, make).values))

    def _image(self, number: int, modality: str) -> None:
        visit, within = self._scans.visits[number], self._within[number]
        matrix = self._matrices(number)[modality]
        prepared = within.values["prepared"] or self._pipeline.preprocessing is not None
        correct = modality in INTENSITY_MODALITIES and not prepared
        folder = visit.label if modality in PATIENT_MODALITIES else f"other/{visit.label}"

        def make() -> Made:
            scan = self._scans.images(number)[modality]
            scan = correct_bias(scan) if correct else scan
            return Made({f"{folder}/{modality}.nii.gz": apply(scan, matrix, self._grid)})

        follows = {
            "scan": visit.hashes[modality],
            "preprocessing": described(self._pipeline.preprocessing),
            "matrix_ras": matrix,
            "grid": self._grid.to_dict(),
            "bias_corrected": correct,
        }
        self._images[number, modality] = self._step(f"image {visit.label} {modality}", follows, make)

    def _read(self, number: int, modality: str) -> Image:
        """A scan on the common grid; named so that no message tells where it came from."""
        (path,) = self._images[number, modality].files
        image = self.record.image(path)
        return Image(image.array, self._grid, f"{modality} of {self._scans.visits[number].label}")

    # Brain

    @functools.cached_property
    def _atlas(self) -> Registration | None:
        """The atlas in the first visit's reference scan; None without scans."""
        first = self._first_with_scans
        if first is None:
            return None
        reference = self._within[first].values["reference"]
        follows = {"scan": self._images[first, reference].fingerprint}
        step = self._step("atlas", follows, lambda: anatomy.place_atlas(self._read(first, reference)))
        return anatomy.registration_of(step.values)

    @functools.cache  # noqa: B019
    def _brain(self) -> Step:
        first = self._first_with_scans
        if "brain_mask" in self._shared:
            path = self._shared["brain_mask"]
            return self._step("brain", {"given": file_hash(path), "grid": self._grid.to_dict()}, self._given_brain)
        if first is None:
            tumors = {n: step.fingerprint for n, step in self._segmented.items()}
            return self._step("brain", {"tissues": self._given_tissue_hashes(), "tumors": tumors}, self._brain_of_maps)
        reference = self._within[first].values["reference"]

        def make() -> Made:
            scan = self._read(first, reference)
            stripped = bool(self._within[first].values["prepared"])
            return anatomy.find_brain(scan, reference, None if stripped else self._atlas)

        return self._step("brain", {"scan": self._images[first, reference].fingerprint}, make)

    def _given_brain(self) -> Made:
        mask = read_volume(self._shared["brain_mask"])
        resampled = Image((mask.array > 0.5).astype(np.float32), mask.grid).resample(self._grid).array > 0.5
        return Made({"brain_mask.nii.gz": Image(resampled, self._grid, "brain")}, {"method": "given"})

    def _brain_of_maps(self) -> Made:
        maps = self._given_tissues() or self._atlas_tissues()
        return anatomy.brain_of_tissues(maps, self._tumors())

    def _brain_mask(self) -> Image:
        self._brain()
        mask = self.record.image("brain_mask.nii.gz")
        return Image(mask.array > 0, self._grid, "brain mask")

    # Outlines

    def _segment(self, number: int) -> None:
        visit = self._scans.visits[number]
        file = outlines.labels_file(visit.label)
        make: Callable[[], Made]
        if edited := self.record.changed_by_user(file) or self._edited_before(visit.label, file):
            make = functools.partial(self._keep_edited, visit.label, edited)
            follows: dict[str, Any] = {"edited": edited}
        elif visit.outlines and not self._pipeline.replace_outlines:
            make = functools.partial(self._accept, number)
            follows = {
                "outlines": visit.outlines,
                "convention": self._pipeline.label_convention,
                "grid": self._grid.to_dict(),
                "matrices": self._matrices(number) if visit.hashes else None,
            }
        else:
            make = functools.partial(self._run_network, number)
            follows = self._network_follows(number)
        self._segmented[number] = self._step(f"segment {visit.label}", follows, make)

    def _edited_before(self, visit: str, file: str) -> str | None:
        """The hash of an outline that the user had corrected before the last run, while it is still there."""
        known = self.record.known(f"segment {visit}")
        return known.values.get("edited") if known is not None and (self.record.folder / file).is_file() else None

    def _keep_edited(self, visit: str, edited: str) -> Made:
        labels = self.record.image(outlines.labels_file(visit))
        kept = accept_segmentation(Image(labels.array, labels.grid, f"The outline of {visit}"), grid=self._grid)
        made = outlines.visit_files(kept, visit, "edited")
        notice = f"The outline of {visit} was corrected by hand and kept."
        return Made(made.files, {**made.values, "edited": edited}, (notice, *made.notices))

    def _accept(self, number: int) -> Made:
        given, visit = self._scans.outlines(number), self._scans.visits[number]
        matrix = np.eye(4)
        if visit.hashes:
            reference = self._within[number].values["reference"]
            outline = next(iter(given.values()))
            matrix = outlines.frame_of(outline, self._scans.images(number), self._matrices(number), reference)
        convention = self._pipeline.label_convention
        return outlines.visit_files(outlines.accepted(given, matrix, self._grid, convention), visit.label, "given")

    @functools.cached_property
    def _model(self) -> tuple[outlines.Networks, tuple[str, ...]]:
        description, notices = runnable_model(self._pipeline.segmentation_model)
        return outlines.Networks(description), notices

    def _network_follows(self, number: int) -> dict[str, Any]:
        visit = self._scans.visits[number]
        if not visit.hashes:
            raise TumorTwinError(f"The visit of {visit.label} has neither scans nor an outline: add one of them.")
        description = self._model[0].description
        return {
            "model": outlines.model_identity(description),
            "brain": self._brain().fingerprint,
            "scans": {
                name: self._images[number, name].fingerprint for name in description.modalities if name in visit.hashes
            },
        }

    def _run_network(self, number: int) -> Made:
        networks, notices = self._model
        visit = self._scans.visits[number]
        names = [name for name in networks.description.modalities if name in visit.hashes]
        found = networks.segment(
            {name: self._read(number, name) for name in names}, self._brain_mask(), self._pipeline.device,
            lambda share: self._say(f"segment {visit.label}", share), self._stop,
        )  # fmt: skip
        made = outlines.visit_files(found, visit.label, "model")
        return Made(made.files, {**made.values, "model": networks.description.name}, (*notices, *made.notices))

    def _masks(self, number: int) -> dict[str, Image]:
        """Regions of a visit on the common grid; empty where nothing is outlined."""
        file = outlines.labels_file(self._scans.visits[number].label)
        if file not in self._segmented[number].files:
            return {}
        labels = self.record.image(file)
        return regions_from_labels(Image(labels.array, self._grid, file), "brats2021")

    def _tumors(self) -> list[Image]:
        """The whole tumor of each visit that has one."""
        found = [self._masks(number) for number in self._segmented]
        return [
            Image(np.logical_or.reduce([mask.array for mask in masks.values()]), self._grid, "tumor")
            for masks in found
            if masks
        ]

    # Tissues, features

    def _given_tissue_hashes(self) -> dict[str, str]:
        return {name: file_hash(path) for name, path in self._shared.items() if name != "brain_mask"}

    def _given_tissues(self) -> dict[str, Image]:
        return {
            name: read_volume(path).resample(self._grid) for name, path in self._shared.items() if name != "brain_mask"
        }

    def _atlas_tissues(self) -> dict[str, Image]:
        matrix = anatomy.atlas_in_brats_space(self._grid) if self._atlas is None else self._atlas.matrix_ras
        if matrix is None:
            raise TumorTwinError(
                "There are outlines and no scans to find the brain in: give brain_mask and tissue maps, or scans."
            )
        return anatomy.atlas_tissues(matrix, self._grid)

    def _tissues(self) -> Step:
        first = self._first_with_scans
        t1 = None
        if first is not None:
            t1 = next((name for name in ("T1", "T1CE") if (first, name) in self._images), None)
        cavity = outlines.cavity_file(self._scans.visits[0].label)
        cavities = [cavity] if cavity in self._segmented[0].files else []

        def make() -> Made:
            given = self._given_tissues() or ({} if t1 is not None else self._atlas_tissues())
            scan = None if t1 is None or first is None or given else self._read(first, t1)
            return anatomy.find_tissues(
                scan, self._brain_mask(), self._tumors(), None if scan is None else self._atlas,
                given=given, cavities=[self.record.image(path) for path in cavities],
            )  # fmt: skip

        follows = {
            "brain": self._brain().fingerprint,
            "tumors": {number: step.fingerprint for number, step in self._segmented.items()},
            "given": self._given_tissue_hashes(),
            "scan": self._images[first, t1].fingerprint if first is not None and t1 is not None else None,
        }
        return self._step("tissues", follows, make)

    def _features(self) -> None:
        def make() -> Made:
            visits: list[tuple[datetime, Mapping]] = []
            for number, visit in enumerate(self._scans.visits):
                masks = self._masks(number)
                if not masks:
                    continue
                unions = {"whole_tumor": WHOLE_REGIONS, "core": ("enhancing", "necrotic_core")}
                for union, parts in unions.items():
                    arrays = [masks[part].array for part in parts if part in masks]
                    masks[union] = Image(np.logical_or.reduce(arrays), self._grid, union)
                images = {name: self._read(number, name) for name in visit.hashes}
                known = self._segmented[number].values["volume_sd_ml"]
                visits.append((visit.time, region_features(masks, images, volume_sd_ml=known)))
            rows = feature_rows(visits) if visits else []
            return Made({"features.csv": lambda path: write_feature_table(rows, path)})

        follows = {
            "outlines": {number: step.fingerprint for number, step in self._segmented.items()},
            "scans": {f"{number} {name}": step.fingerprint for (number, name), step in self._images.items()},
            "times": [visit.time.isoformat() for visit in self._scans.visits],
        }
        self._step("features", follows, make)

    def _patient_files(self, treatment_file: Path | None, tissues: Step) -> None:
        folder, visits = self.record.folder, self._scans.visits
        for visit in visits:
            (folder / visit.label).mkdir(exist_ok=True)
        treatments = read_treatment_csv(treatment_file) if treatment_file is not None else ()
        follows = {
            "visits": [visit.label for visit in visits],
            "patient_id": self._scans.patient_id,
            "treatments": file_hash(treatment_file) if treatment_file is not None else None,
        }

        def make() -> Made:
            table = io.StringIO(newline="")
            rows = [(visit.time.isoformat(timespec="minutes"), visit.label) for visit in visits]
            csv.writer(table).writerows([("date", "folder"), *rows])
            about = json.dumps({"patient_id": self._scans.patient_id}) + "\n"
            files: dict[str, Callable[[Path], None]] = {
                "visits.csv": lambda path: write_text(path, table.getvalue()),
                "patient.json": lambda path: write_text(path, about),
            }
            if treatments:  # read and written anew: further columns, such as notes, may name the patient
                files["treatment.csv"] = lambda path: write_treatment_csv(treatments, path)
            return Made(files)

        self._step("patient files", follows, make)
