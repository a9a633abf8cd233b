"""HTML reports of runs and sweeps, which need no server. Nothing here imports torch."""
