"""YAML and key=value -> a plain dict; a signature -> the options it takes."""
