"""A model as text of other tools: one file for each, found by itself."""

from cellpk.model.export.targets import export, targets

__all__ = ["export", "targets"]
