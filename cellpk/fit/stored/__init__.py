"""Kinds of results that can be saved: found by themselves, one file each."""
