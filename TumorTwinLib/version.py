"""Which TumorTwin this is, for results that must say what made them."""

__version__ = "0.1.0"
