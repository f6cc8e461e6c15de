"""Photos -> labels that nobody trained for: by the cosines of a CLIP, or by what a captioner would say of each label."""
