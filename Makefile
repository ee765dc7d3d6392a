# TumorTwin. `make demo` and `make test` work on a fresh machine with Python 3.11-3.13, make and git.
PYTHON ?= python3
VENV := .venv
VENV_512 := .venv-5.12
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python
RECIPE := pyproject.toml TumorTwin/Resources/requirements.txt .ci/setup
export PYTHON

.PHONY: help setup demo test test-5.12 bench study train lint lists sample screenshots clean

help:  ## list the targets
	@grep -E '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## make the virtual environment and install everything (a second run does nothing)
	@echo "Ready: $(RUN)"

$(READY): $(RECIPE)
	@.ci/setup $(VENV)

$(VENV_512)/.ready: $(RECIPE)
	@.ci/setup $(VENV_512) slicer-core==5.12.4.0

demo: $(READY)  ## forecast the shipped patient, headless; leaves demo/
	@$(RUN) TumorTwin/Scripts/tumor_twin_pipeline.py --patient Resources/SampleData/glioblastoma --out demo --horizon-days 180

test: $(READY)  ## the whole test suite
	@$(RUN) -m pytest -q

test-5.12: $(VENV_512)/.ready  ## the scene tests on the slicer-core of Slicer 5.12
	@$(VENV_512)/bin/python -m pytest -q Testing/mrml

# Figures are of one core, unless they say otherwise.
bench study study-coverage: export OMP_NUM_THREADS = 1

bench: $(READY)  ## measure speed, memory and accuracy, then rewrite docs/figures.md and docs/forecast.md
	@set -e; for file in Testing/Benchmarks/bench_*.py; do \
	    name=$$(basename $$file .py); echo "$$name"; $(RUN) -m Testing.Benchmarks.$$name; \
	done
	@$(RUN) -m Testing.Benchmarks.forecast_document
	@$(RUN) -m Testing.Benchmarks.tables

study: $(READY)  ## measure accuracy on research data (minutes to hours), then rewrite docs/figures.md
	@$(RUN) -m pytest -q -m study
	@$(RUN) -m Testing.Benchmarks.tables

train: export OMP_NUM_THREADS = 1
train: export PYTHONPATH = $(CURDIR)

train: $(READY)  ## train the shipped brain tumor network anew (two hours; needs the research data)
	@$(RUN) Resources/Models/training/recipe.py --data $(or $(TUMORTWIN_DATA),../shared/data) --work training

study-coverage: $(READY)  ## intervals against virtual cohorts (hours; goes on where it was stopped), then docs/uncertainty.md
	@$(RUN) -m Testing.Studies.coverage_study
	@$(RUN) -m Testing.Benchmarks.tables

lint: $(READY)  ## style and types
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

lists: $(READY)  ## rewrite the file lists that CMake installs
	@$(RUN) .ci/update_cmake_lists.py

sample: $(READY)  ## grow the shipped patient anew (needs nilearn, which is installed)
	@$(RUN) -m pip install --disable-pip-version-check -q -e '.[sample]' >>$(VENV)/install.log 2>&1 \
	    || { tail -n 20 $(VENV)/install.log; exit 1; }
	@$(RUN) Resources/SampleData/make_glioblastoma.py

screenshots: demo  ## redraw the pictures of the README: the forecast, and every state of the panel
	@test -f demo/forecast.png || { echo "The demo made no pictures: see its last lines."; exit 1; }
	@mkdir -p Resources/Screenshots && cp demo/forecast.png Resources/Screenshots/forecast.png
	@echo "Resources/Screenshots/forecast.png"
	@$(RUN) -m Testing.panel.screenshots Resources/Screenshots

clean:  ## remove what the other targets made
	@rm -rf $(VENV) $(VENV_512) demo build *.egg-info .pytest_cache .ruff_cache .mypy_cache
	@find TumorTwin TumorTwinLib Testing Resources -name __pycache__ -type d -prune -exec rm -rf {} +
