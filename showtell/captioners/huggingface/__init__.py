"""Captioners that others trained: whatever transformers' AutoModelForImageTextToText loads, from the Hub or a folder.

`network.py` loads one, `inputs.py` says how it wants photos and prompt, `answers.py` lets it generate, `clean.py` makes
a caption of its answer, `batches.py` shrinks batches when memory ends, and `captioner.py` is the captioner.
"""
