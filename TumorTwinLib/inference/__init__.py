"""From scans to parameters: residuals, least squares, calibration and what the data informed."""
