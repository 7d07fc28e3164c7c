"""Adversarial triggers: patterns mined from attributions, inserted into other texts, against controls."""
