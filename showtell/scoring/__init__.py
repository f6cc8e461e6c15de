"""Captions -> scores: of a run, of files from anywhere, of runs compared."""
