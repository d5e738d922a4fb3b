"""All patients fitted together: typical values, spread between patients, residuals."""
