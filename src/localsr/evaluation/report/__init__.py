"""Tables, plots and pages from measured results."""
