"""Captioners behind HTTP: a page to try them, `POST /v1/caption`, and the chat form that photo libraries use.

Read as a request goes: body (size and time), uploads (bytes -> a photo), asked (fields -> decoding), batcher (photos
that arrive together are decoded together), model (a batch -> captions), answers (captions -> JSON), app (the routes),
run (the process). Nothing here opens a URL or a path that a client names.
"""
