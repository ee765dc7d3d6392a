"""Long work as a folder: a job in, frames and a result out, computed by a process of its own.

::

    JOB/
      job.json                  what to do (spec)
      patient/                  the patient's arrays, when job.json names no patient (patient_store)
      checkpoint/               what a stopped job need not compute again (checkpoint)
      preview/day_0030.npy      what the fit so far would forecast, while it is being fitted
      frames/day_0030.npy       the forecast, as it is being solved (frames)
      posterior/                of a Bayesian job: draws, weights, priors (inference.posterior_files)
      uncertainty/              of a Bayesian job: quantiles of the density and probability of tumor (uncertainty_store)
      comparison/               of regimens: medians of the density over time (comparison_store)
      result.json               how it ended and what was found (result_store)
      log.txt                   what the process had to say

``python -m TumorTwinLib.jobs.worker run JOB`` computes it (worker), ``runner`` does so in the background and tells what
happens, ``job_folder.write_job`` makes the folder. Nothing here knows of Slicer or of windows.
"""
