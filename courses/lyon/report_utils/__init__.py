"""What report.ipynb shows, from the checkpoints in the working folder."""
