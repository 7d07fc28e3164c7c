"""Fine-tuned classifiers: finding, vetting, loading and keeping them in memory."""
