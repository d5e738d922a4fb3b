"""What a population fit says of its own samples, and whether they agree with it."""
