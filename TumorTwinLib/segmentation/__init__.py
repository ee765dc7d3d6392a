"""Tumor outlines from scans. The registry names the models there are; a visit's own segmentation needs none."""
