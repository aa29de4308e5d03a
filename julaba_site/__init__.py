"""The composition root: settings, wiring of processes, and nothing that others import."""
