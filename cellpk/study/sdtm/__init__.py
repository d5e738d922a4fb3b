"""Reading and writing SDTM: one file per part of a delivery."""
