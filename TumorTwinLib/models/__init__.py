"""One file a cancer: its equation, parameters with priors and units, first state, and what a scan shows of it."""
