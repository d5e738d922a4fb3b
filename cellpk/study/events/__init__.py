"""Event records, as NONMEM and Monolix read them: one row per sample, dose or event."""
