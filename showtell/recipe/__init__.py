"""A recipe: its sections and their tables, the rules between them, and the parts built from it."""
