"""Compiled models: from the tree of a model to machine code that is kept on disk."""
