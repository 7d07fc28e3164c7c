"""The names of a checkpoint's classes, and the probe that finds their order."""
