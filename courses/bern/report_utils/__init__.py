"""What report.ipynb shows, from the checkpoints, logs and scores of the six models."""
