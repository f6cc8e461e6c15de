"""Checks a data set: it reports what is wrong or unusual, section by section, with advice for each finding."""
