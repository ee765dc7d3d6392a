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
  TumorTwinLib/mrml/io_manager.py
  TumorTwinLib/mrml/patient.py
  TumorTwinLib/mrml/runtime.py
  TumorTwinLib/mrml/segmentations.py
  TumorTwinLib/mrml/subject_hierarchy_items.py
  TumorTwinLib/mrml/terminology.py
  TumorTwinLib/mrml/volumes.py
  TumorTwinLib/mrml/vtk_messages.py
  TumorTwinLib/nifti_header.py
  TumorTwinLib/patient/__init__.py
  TumorTwinLib/patient/data.py
  TumorTwinLib/patient/treatment_csv.py
  TumorTwinLib/patient/treatment_entry.py
  TumorTwinLib/physics/__init__.py
  TumorTwinLib/physics/domain.py
  TumorTwinLib/physics/kernels_numba.py
  TumorTwinLib/physics/propagator.py
  TumorTwinLib/treatment/__init__.py
  TumorTwinLib/treatment/drugs.py
  TumorTwinLib/treatment/events.py
  TumorTwinLib/volume_files.py
  )

set(LIBRARY_RESOURCES
  )

set(SAMPLE_DATA
  )

slicerMacroBuildScriptedModule(
  NAME TumorTwinLib
  SCRIPTS ${LIBRARY_PYTHON_SCRIPTS}
  RESOURCES ${LIBRARY_RESOURCES} ${SAMPLE_DATA}
  )
