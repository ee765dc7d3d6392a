"""From scans and outlines, as they come, to a patient folder on one grid: the rooms imaging and segmentation joined."""
