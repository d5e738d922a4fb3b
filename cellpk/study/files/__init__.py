"""Kinds of files that hold one table each: one file of this folder per kind."""
