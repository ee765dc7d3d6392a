"""The batch job: what it leaves, what it says, and its exit code, for good and for bad input."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.stages import Outcome
from TumorTwinLib.mrml import pipeline
from TumorTwinLib.mrml.batch import FAILED, OK, STOPPED, run_command
from TumorTwinLib.mrml.scene import load_scene
from TumorTwinLib.mrml.terminal import TerminalProgress

PICTURES = {"forecast.png", "forecast_3d.png", "timeline.png", "volume.png", "cell_count.png"}
FILES = {
    "forecast.mrb",
    "report.html",
    "forecast.csv",
    "curve.csv",
    "measured.csv",
    "parameters.csv",
    "run.json",
    "log.txt",
}


@pytest.fixture
def job(tmp_path) -> JobSpec:
    return JobSpec(str(tmp_path / "patient"), horizon_days=60.0)


@pytest.fixture
def computed(monkeypatch, patient, forecast) -> Outcome:
    """The numbers are made elsewhere; here is what becomes of them."""
    outcome = Outcome(patient, SimpleNamespace(), forecast, ("The affine of T1CE was repaired.",))

    def compute(job, progress, imaging):
        for stage in pipeline.stage_titles(job)[:3]:
            progress.stage(stage)
        return outcome

    monkeypatch.setattr(pipeline, "compute", compute)
    return outcome


@pytest.fixture
def no_graphics(monkeypatch):
    monkeypatch.setattr(pipeline, "graphics_available", lambda: False)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.usefixtures("needs_graphics", "computed")
def test_everything_is_in_the_out_folder(job, tmp_path, capsys):
    assert run_command(job, tmp_path / "out") == OK
    out = tmp_path / "out"
    assert names(out) == FILES | PICTURES
    assert names(tmp_path) == {"out"}
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png;base64") == len(PICTURES)
    assert "The affine of T1CE was repaired." in report
    said = capsys.readouterr()
    assert said.err == ""
    assert "Note: The affine of T1CE was repaired." in said.out
    assert (
        said.out.splitlines()[-1] == f"Open {out / 'forecast.mrb'} in 3D Slicer, or {out / 'report.html'} in a browser."
    )
    assert "Building the scene" in (out / "log.txt").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_graphics", "computed")
def test_without_graphics_all_but_the_pictures_is_made(job, tmp_path, capsys):
    assert run_command(job, tmp_path / "out") == OK
    assert names(tmp_path / "out") == FILES
    assert "Note: No pictures were made" in capsys.readouterr().out
    assert "No pictures were made" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_graphics")
def test_the_scene_and_the_tables_hold_the_forecast(job, tmp_path, computed):
    run_command(job, tmp_path / "out")
    load_scene(tmp_path / "out" / "forecast.mrb")
    sequence = slicer.util.getFirstNodeByName("VGBM_001 tumor cell density over time", "vtkMRMLSequenceNode")
    assert sequence.GetNumberOfDataNodes() == len(computed.forecast.days)
    assert slicer.util.getNode("T1CE day 30")
    with (tmp_path / "out" / "forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    volumes = [float(row["Tumor core volume (mL)"]) for row in rows]
    assert volumes == pytest.approx(computed.forecast.volume_mm3["core"] / 1000, rel=1e-6)
    with (tmp_path / "out" / "measured.csv").open(newline="", encoding="utf-8") as file:
        assert [row["Tumor core volume (mL)"] == "" for row in csv.DictReader(file)] == [False, True, False]
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert run["job"]["horizon_days"] == 60.0
    assert run["provenance"]["seed"] == 7


@pytest.mark.usefixtures("no_graphics", "computed")
def test_running_again_replaces_the_results(job, tmp_path):
    run_command(job, tmp_path / "out")
    (tmp_path / "out" / "stale.txt").write_text("from before")
    assert run_command(job, tmp_path / "out") == OK
    assert names(tmp_path / "out") == FILES


@pytest.mark.usefixtures("computed")
def test_someone_elses_folder_is_refused_before_any_work(job, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("mine")
    monkeypatch.setattr(pipeline, "compute", lambda *_: pytest.fail("worked on it all the same"))
    assert run_command(job, tmp_path / "out") == FAILED
    said = capsys.readouterr().err
    assert (
        said
        == f"TumorTwin: {tmp_path / 'out'} holds files that are not results of TumorTwin: give a new or empty folder.\n"
    )
    assert names(tmp_path) == {"out"}
    assert names(tmp_path / "out") == {"thesis.docx"}


def raise_(error: BaseException):
    raise error


@pytest.mark.usefixtures("computed", "no_graphics")
@pytest.mark.parametrize("where", ["compute", "save_scene", "write_report", "write_tables"])
@pytest.mark.parametrize(
    ("error", "code", "message", "left"),
    [
        (
            TumorTwinError("T1.nii.gz is empty: replace it."),
            FAILED,
            "TumorTwin: T1.nii.gz is empty: replace it.",
            set(),
        ),
        (KeyboardInterrupt(), STOPPED, "TumorTwin: Stopped on request; no result was written.", set()),
        (
            ZeroDivisionError("1/0"),
            FAILED,
            "TumorTwin: Stopped by an unexpected error (ZeroDivisionError: 1/0).",
            {"out.log"},
        ),
    ],
    ids=["user-error", "interrupt", "bug"],
)
def test_a_failure_anywhere_leaves_one_sentence(job, tmp_path, capsys, monkeypatch, where, error, code, message, left):
    monkeypatch.setattr(pipeline, where, lambda *_arguments, **_named: raise_(error))
    assert run_command(job, tmp_path / "out") == code
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert names(tmp_path) == left
    if left:
        assert "ZeroDivisionError" in (tmp_path / "out.log").read_text(encoding="utf-8")


class TestTerminal:
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    def test_in_a_file_each_stage_is_one_line(self):
        stream = io.StringIO()
        progress = TerminalProgress(2, stream)
        progress.stage("Reading")
        progress.update(0.5, "half")
        progress.stage("Solving")
        progress.end("failed")
        progress.end()
        first, second = stream.getvalue().splitlines()
        assert first.startswith("[1/2] Reading ")
        assert "done" in first
        assert second.startswith("[2/2] Solving ")
        assert "failed" in second

    def test_on_a_terminal_the_bar_is_redrawn_in_place(self):
        stream = self.Terminal()
        progress = TerminalProgress(1, stream)
        progress.stage("Solving")
        progress.update(1.0, "day 60 of 60")
        progress.end()
        drawn = stream.getvalue()
        assert drawn.count("\n") == 1
        assert "█" * 24 + " 100%" in drawn
        last = drawn.rstrip("\n").split("\r")[-1]
        assert len(last) >= max(len(line) for line in drawn.split("\r")[:-1])  # nothing of a longer line stays

    def test_an_old_terminal_gets_plain_characters(self):
        stream = self.Terminal()
        stream.encoding = "cp1252"
        progress = TerminalProgress(1, stream)
        progress.stage("Solving")
        progress.update(1.0)
        stream.getvalue().encode("cp1252")


# The rest runs the command itself, in a process of its own.


@pytest.fixture
def script(repository) -> Path:
    return repository / "TumorTwin" / "Scripts" / "tumor_twin_pipeline.py"


@pytest.fixture
def sample(repository) -> Path:
    return repository / "Resources" / "SampleData" / "glioblastoma"


def run_script(script: Path, *arguments, **named) -> subprocess.CompletedProcess:
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, **named)


def test_the_shipped_patient_is_forecast_by_the_command(script, sample, tmp_path):
    out = tmp_path / "größe out"
    run = run_script(
        script, "--patient", sample, "--out", out, "--resolution-mm", 4, "--horizon-days", 60, "--output-days", "20,60",
        "--calibration-visits", 3, "--seed", 5, cwd=tmp_path,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert names(out) >= FILES
    assert names(out) - FILES in (PICTURES, set())
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (record["job"]["seed"], record["job"]["output_days"]) == (5, [20.0, 60.0])
    with (out / "forecast.csv").open(newline="", encoding="utf-8") as file:
        phases = [row["Phase"] for row in csv.DictReader(file)]
    # Three visits fitted, one only compared with, two output days.
    assert phases == ["fit"] * 3 + ["prediction"] * (len(phases) - 3)
    assert len(phases) >= 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--patient", "absent", "--out", "out"], 1, "absent is no patient"),
        (["--patient", "{sample}", "--out", "out", "--horizon-days", "-5"], 1, "The horizon is -5 days"),
        (["--patient", "{sample}", "--out", "out", "--device", "cuda:77"], 1, "cuda:77"),
        (["--patient", "{sample}", "--out", "out", "--resolution-mm", "0"], 1, "resolution_mm is 0"),
        (["--patient", "{sample}", "--out", "out", "--calibration-visits", "9"], 1, "9 are to be used"),
        (["--out", "out"], 2, "--patient"),
    ],
    ids=["no-patient", "horizon", "device", "resolution", "visits", "arguments"],
)
def test_bad_arguments_get_a_sentence_and_leave_nothing(script, sample, tmp_path, arguments, code, message):
    run = run_script(script, *(argument.format(sample=sample) for argument in arguments), cwd=tmp_path)
    assert run.returncode == code
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert names(tmp_path) == set()


def test_help_is_given_without_loading_slicer(script):
    run = run_script(script, "--help")
    assert run.returncode == 0
    assert "--calibration-visits" in run.stdout


def test_without_slicer_core_the_sentence_says_what_to_install(script, tmp_path):
    (tmp_path / "slicer.py").write_text("raise ImportError('no slicer')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = run_script(script, "--patient", "p", "--out", tmp_path / "out", env=environment)
    assert run.returncode == 1
    assert "pip install slicer-core" in run.stderr
    assert run.stderr.count("\n") == 1


def test_inside_slicer_the_application_is_told_to_exit(script, tmp_path):
    """Slicer keeps running after a script unless slicer.util.exit is called."""
    stand_in = (
        "import sys, types, runpy\n"
        "slicer = types.ModuleType('slicer'); slicer.app = slicer.mrmlScene = object()\n"
        "slicer.util = types.SimpleNamespace(exit=lambda code: print('told to exit', code))\n"
        "sys.modules['slicer'] = slicer\n"
        f"sys.argv = [{str(script)!r}, '--out', 'x']\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", stand_in], capture_output=True, text=True, check=False)
    assert "told to exit 2" in run.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_midway_nothing_is_under_the_final_name(tmp_path, how):
    """The job is stopped while it saves: asked to, it also cleans up."""
    driver = (
        "import sys, time; sys.path[:0] = sys.argv[1:2]\n"
        "from pathlib import Path\n"
        "from Testing.mrml.conftest import make_forecast, make_patient\n"
        "from TumorTwinLib.mrml import batch, pipeline\n"
        "from TumorTwinLib.jobs.spec import JobSpec\n"
        "from TumorTwinLib.jobs.stages import Outcome\n"
        "outcome = Outcome(make_patient(), None, make_forecast(), ())\n"
        "pipeline.compute = lambda job, progress, imaging: outcome\n"
        "pipeline.graphics_available = lambda: False\n"
        "def save(path):\n"
        "    Path(path).write_bytes(b'half'); print('saving', flush=True); time.sleep(3600)\n"
        "pipeline.save_scene = save\n"
        "sys.exit(batch.run_command(JobSpec('patient'), Path(sys.argv[2])))\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", driver, str(root), str(tmp_path / "out")]

    def heed_interrupts() -> None:
        """A suite that runs in the background ignores SIGINT, and its children would inherit that."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509
    ) as process:
        assert any("saving" in line for line in process.stdout)
        process.send_signal(how)
        code = process.wait()
        said = process.stderr.read()
    assert not (tmp_path / "out").exists()
    if how == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == STOPPED
        assert said == "TumorTwin: Stopped on request; no result was written.\n"
        assert names(tmp_path) == set()


def test_slicer_starts_without_the_solver(repository):
    """The module's file imports the logic when Slicer starts."""
    code = "import slicer, sys; slicer.mrmlScene = None; import TumorTwinLib.mrml.logic; print(sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, encoding="utf-8", check=True
    )
    loaded = set(run.stdout.split("'"))
    assert "TumorTwinLib.mrml.logic" in loaded
    assert not loaded & {"torch", "numba", "scipy", "SimpleITK", "TumorTwinLib.physics.solver"}
