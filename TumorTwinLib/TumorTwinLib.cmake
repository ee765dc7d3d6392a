# Puts the library and the sample patient beside the module: qt-scripted-modules/TumorTwinLib and
# qt-scripted-modules/Resources/SampleData. Included from the top so that paths keep their folders.
# The lists are kept by `make lists`.
set(LIBRARY_PYTHON_SCRIPTS
  TumorTwinLib/__init__.py
  TumorTwinLib/errors.py
  TumorTwinLib/forecast.py
  TumorTwinLib/geometry.py
  TumorTwinLib/mrml/__init__.py
  TumorTwinLib/mrml/application.py
  TumorTwinLib/mrml/colors.py
  TumorTwinLib/mrml/forecast.py
  TumorTwinLib/mrml/graphics.py
  TumorTwinLib/mrml/io_manager.py
  TumorTwinLib/mrml/patient.py
  TumorTwinLib/mrml/plots.py
  TumorTwinLib/mrml/run_nodes.py
  TumorTwinLib/mrml/runtime.py
  TumorTwinLib/mrml/scene.py
  TumorTwinLib/mrml/segmentations.py
  TumorTwinLib/mrml/sequences.py
  TumorTwinLib/mrml/subject_hierarchy_items.py
  TumorTwinLib/mrml/tables.py
  TumorTwinLib/mrml/terminology.py
  TumorTwinLib/mrml/views.py
  TumorTwinLib/mrml/volumes.py
  TumorTwinLib/mrml/vtk_messages.py
  TumorTwinLib/nifti_header.py
  TumorTwinLib/patient/__init__.py
  TumorTwinLib/patient/adc_unit.py
  TumorTwinLib/patient/brats_labels.py
  TumorTwinLib/patient/checks.py
  TumorTwinLib/patient/data.py
  TumorTwinLib/patient/folder.py
  TumorTwinLib/patient/json_layout.py
  TumorTwinLib/patient/treatment_csv.py
  TumorTwinLib/patient/treatment_entry.py
  TumorTwinLib/physics/__init__.py
  TumorTwinLib/physics/backends.py
  TumorTwinLib/physics/domain.py
  TumorTwinLib/physics/kernels_numba.py
  TumorTwinLib/physics/kernels_torch.py
  TumorTwinLib/physics/propagator.py
  TumorTwinLib/physics/reaction.py
  TumorTwinLib/physics/solver.py
  TumorTwinLib/physics/stepper.py
  TumorTwinLib/physics/trackers.py
  TumorTwinLib/report/__init__.py
  TumorTwinLib/report/html.py
  TumorTwinLib/report/numbers.py
  TumorTwinLib/treatment/__init__.py
  TumorTwinLib/treatment/drugs.py
  TumorTwinLib/treatment/events.py
  TumorTwinLib/volume_files.py
  )

set(LIBRARY_RESOURCES
  TumorTwinLib/report/style.css
  )

set(SAMPLE_DATA
  )

slicerMacroBuildScriptedModule(
  NAME TumorTwinLib
  SCRIPTS ${LIBRARY_PYTHON_SCRIPTS}
  RESOURCES ${LIBRARY_RESOURCES} ${SAMPLE_DATA}
  )
