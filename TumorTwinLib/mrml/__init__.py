"""The only room that imports slicer and vtk: nodes to data, results to nodes, pictures, the batch job.

Inside Slicer nothing happens on import. Elsewhere the slicer-core package is made to look like the running
application, so the same code runs in tests, in batch and in the desktop.
"""

from TumorTwinLib.mrml.runtime import ensure_slicer

ensure_slicer()
