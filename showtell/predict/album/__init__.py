"""An album of any size and a captioner -> a folder of captions, in parts that are whole or absent.

The folder holds:

    album.json          the settings: which captioner with which decoding, which photos, how captions are worded
    plan.jsonl          every photo and where it lies, one a line; plan.json says where in it each part begins
    part-00000.jsonl    the captions of the first 2,000 photos of the plan, in its order; or .parquet
    part-00001.partial  the rows of an unfinished part, so that a stopped run loses nothing
"""
