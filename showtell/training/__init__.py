"""A recipe -> a run folder. Read it as setup, loop, job, batches, optimizer, validation, state, log."""
