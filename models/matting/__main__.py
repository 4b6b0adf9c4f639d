"""Write a run's weights as the ONNX file that ships: `python -m models.matting RUN/weights.safetensors`."""

import sys
from pathlib import Path

from models.matting.exported import export
from models.matting.predict import WEIGHTS

if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m models.matting RUN/weights.safetensors")
    try:
        export(Path(sys.argv[1]), WEIGHTS)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes")
