"""What was measured: the study and how it is read and checked."""
