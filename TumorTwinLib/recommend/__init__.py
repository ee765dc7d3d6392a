"""What regimens would do to one patient's tumor, compared on the same draws of the posterior. Research, not advice."""

DISCLAIMER = "In-silico research result, not a treatment instruction."
