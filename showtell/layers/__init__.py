"""Pieces of networks that several rooms use."""
