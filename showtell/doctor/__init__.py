"""A data set -> what is wrong with it or odd in it, in sections, each finding with what to do about it."""
