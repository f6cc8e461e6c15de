"""A recipe -> a run folder. Read the files in this order: setup, loop, job, batches, optimizer, validation, resume,
log, processes, seeds."""
