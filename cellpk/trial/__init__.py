"""The trial around the kinetics; here: a simulated one."""
