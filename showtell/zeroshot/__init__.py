"""Photos -> labels that nobody trained for: by the cosines of a CLIP, or by a captioner's probabilities."""
