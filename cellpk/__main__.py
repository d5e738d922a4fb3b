"""``python -m cellpk`` is ``cellpk``."""

from cellpk.cli import app

app(prog_name="cellpk")
