"""Which heads matter: importance over a data set, pruning by it, and smaller models."""
