"""Errors, files, locks, devices and progress. Nothing here knows about photos or captions."""
