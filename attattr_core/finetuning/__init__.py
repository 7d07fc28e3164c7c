"""Fine-tune an encoder on a GLUE-format task and write a checkpoint with its model card."""
