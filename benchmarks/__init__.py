"""What the project claims, measured: `python -m benchmarks.NAME` prints a table and writes benchmarks/out/NAME.json."""
