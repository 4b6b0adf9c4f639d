"""What the project claims, measured: `python -m benchmarks.NAME` prints a table and writes benchmarks/out/NAME.json.

Benchmarks lie in folders by subject and are called by their name alone.
"""

from pathlib import Path

__path__ += [str(folder.parent) for folder in sorted(Path(__file__).parent.glob("*/__init__.py"))]
