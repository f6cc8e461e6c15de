"""Captions -> scores: of a run (`evaluate`), of JSON files (`score`), of several runs (`compare`)."""
