"""How good predictions are: errors, and counts of what is right, (2,) sum and count, that add up over batches."""
