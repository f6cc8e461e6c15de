"""YAML and `key=value` -> a plain dict of sections; the signature of a part -> the options it takes."""
