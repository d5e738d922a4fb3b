"""One file per file format; each knows how to read and to write a study."""
