"""Mutated command lines, data files and checkpoints: each is valid, or refused in plain words."""
