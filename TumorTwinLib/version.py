"""Which TumorTwin this is, for results that must say what made them."""

VERSION = "0.1.0"
