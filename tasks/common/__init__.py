"""What every task shares: configuration, settings, console, and the base of a stage."""
