"""A captioner and photos -> captions."""
