"""One HTML page that shows what was composed."""
