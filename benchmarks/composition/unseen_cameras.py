"""How much is hidden on cameras on which nothing was chosen: high, low, and real footage where it is at hand.

    python -m benchmarks.unseen_cameras [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

The share of objects hidden by more than 10 %, in the scenes of the time buckets that have cutouts enough; where the
cutouts' places allow less than the bar, the last line of the job has to say how much they allow. A camera whose footage
or network is absent is skipped with a reason. out/unseen_CAMERA_BUCKET.jpg is the fullest scene of each time bucket.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.job import Site, clipart_dir, run
from benchmarks.common.report import OUT, Bar, Report, main
from benchmarks.pipeline.real_cameras import missing
from pipeline.composition.hidden_fraction import OPEN_TO, hidden_fraction
from pipeline.core.storage import read_parts, write_bytes
from tasks.common.variants import MANIFEST

CAMERAS = ("high75", "low05", "pets-onnx", "jamcam", "motorway", "suburb")
HIDDEN_AT_LEAST = 0.20
ENOUGH = 30  # cutouts to train with in a time bucket, for the bar to bind
SCENES = ("--scenes", "120")


def measure(camera_dir: Path) -> dict:
    """One row of a camera's shards; `bound` are the scenes of time buckets with ENOUGH cutouts, NaN without any."""
    shards = clipart_dir(camera_dir, "walt3d")
    manifest = json.loads((shards / MANIFEST).read_text())
    aim = manifest["statistics"]["hidden_fraction"]
    cutouts = pd.DataFrame(aim["cutouts"])  # time buckets by categories
    objects = read_parts(shards / "objects", columns=["scene_id", "category", "visible_fraction"]).to_pandas()
    bucket = read_parts(shards / "images", columns=["scene_id", "background"]).to_pandas().set_index("scene_id")
    full = cutouts.index[cutouts.sum(axis=1) >= ENOUGH]
    hidden = hidden_fraction(objects["visible_fraction"].to_numpy())
    bound = objects["scene_id"].map(bucket["background"]).isin(full).to_numpy()
    vehicles = hidden[(objects["category"] == "vehicle").to_numpy()]
    allowed = np.average([aim["may_be_hidden"][name] for name in cutouts], weights=cutouts.sum())
    return {
        "camera": camera_dir.name,
        "cutouts": int(cutouts.to_numpy().sum()),
        "fewest_a_bucket": int(cutouts.sum(axis=1).min()),
        "buckets_bound": len(full),
        "objects_per_scene": len(objects) / len(bucket),
        "hidden_over_10": float((hidden > OPEN_TO).mean()),
        "bound_hidden_over_10": float((hidden[bound] > OPEN_TO).mean()) if bound.any() else float("nan"),
        "hidden_over_40": float((hidden > 0.4).mean()),
        "vehicles_over_40": float((vehicles > 0.4).mean()) if len(vehicles) else float("nan"),
        "allowed_over_10": float(allowed),
        "fell_short": manifest["shortfall"],
    }


def bars_of(rows: Sequence[dict]) -> list[Bar]:
    """A camera's bar: the share of hidden objects, or that the job says how much the cutouts' places allow."""
    bars = []
    for row in rows:
        name = row["camera"]
        if row["allowed_over_10"] < HIDDEN_AT_LEAST:
            told = "others may stand before" in row["fell_short"]
            bars.append(Bar(f"{name} says how much its cutouts' places allow", float(told), at_least=1))
        elif row["buckets_bound"]:
            bars.append(Bar(f"{name} hidden_over_10", row["bound_hidden_over_10"], at_least=HIDDEN_AT_LEAST))
    return bars


def fullest_scenes(camera_dir: Path) -> dict[str, bytes]:
    """The JPEG of each time bucket's scene of most objects."""
    images = read_parts(clipart_dir(camera_dir, "walt3d") / "images", columns=["background", "image", "n_objects"])
    shown = images.to_pandas().sort_values("n_objects", kind="stable").groupby("background").tail(1)
    return {row["background"]: row["image"]["bytes"] for _, row in shown.iterrows()}


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """One row a camera that composes; of the others the reason."""
    rows: list[dict] = []
    notes: dict[str, str] = {}
    for site in sites:
        if lacking := missing(site.camera, site.manifests):
            notes[f"{site.camera} skipped"] = f"no {lacking} on this machine"
            continue
        options = ("--camera", site.camera, "--manifests", str(site.manifests), *(site.options or SCENES))
        ended = run("GenerateClipArt", data, *options)
        if ended.code:
            notes[f"{site.camera} composes nothing"] = ended.output.strip().splitlines()[-1]
            continue
        rows.append(measure(data / site.camera))
        for bucket, jpeg in fullest_scenes(data / site.camera).items():
            write_bytes(OUT / f"unseen_{site.camera}_{bucket}.jpg", jpeg)
    print("\n".join(f"{key}: {value}" for key, value in notes.items()))
    return Report(rows, bars_of(rows), notes)


if __name__ == "__main__":
    main("unseen_cameras", __doc__, report, cameras=CAMERAS)
