"""Models fitted to patients by censored likelihood."""
