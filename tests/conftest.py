"""Makes the helper modules beside the tests importable."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("models/detector", "models/mm", "pipeline", "tasks")]
