"""Recipes: the sections and their tables, the rules between options, and the parts that are built from a recipe."""
