"""Who does the work of a job over a data set: this process, or workers on many machines."""
