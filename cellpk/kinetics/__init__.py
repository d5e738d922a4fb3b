"""What the data say by themselves: metrics per patient and assay."""
