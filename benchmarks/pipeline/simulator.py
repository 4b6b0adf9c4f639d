"""The simulated cameras themselves: is mining a real task on them, and how fast are they rendered.

    python -m benchmarks.simulator [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

Fractions are over actors' frames, of the cameras' exact truth; CPU seconds a frame are of one illumination bucket, its
street and its traffic included, by one thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.common.job import CHECKED_CAMERAS, Site
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import is_clean, truth_of
from data_manifest import SimulatedSource, load_camera
from pipeline.simulate import plan_bursts, render_burst
from tasks.frames import simulation_of

SLOWEST_CPU_S = 2 / 3  # three frames a second on two cores


def measure(camera_dir: Path) -> dict:
    """Tracks a bucket and what hides them."""
    truth = truth_of(camera_dir)
    frames = pq.read_table(camera_dir / "frames" / "index.parquet", columns=["frame_id", "bucket"]).to_pandas()
    moving = truth[truth["moving"]].merge(frames, on="frame_id")
    return {
        "camera": camera_dir.name,
        "frames": len(frames),
        "least_tracks_a_bucket": int(moving.groupby("bucket")["actor_id"].nunique().min()),
        "actors_a_frame": len(truth) / len(frames),
        "hidden_over_10_percent": float((truth["visible_fraction"] < 0.9).mean()),
        "behind_static_over_10_percent": float((truth["static_hidden_fraction"] > 0.1).mean()),
        "clean": float(is_clean(truth).mean()),
        "body_types": int(pd.Series(truth["body"].unique()).ne("person").sum()),
    }


def cpu_s_a_frame(site: Site) -> float:
    """CPU seconds of one thread for a frame and its truth, over all bursts of the first bucket."""
    entry = load_camera(site.camera, site.manifests)
    source = entry.manifest.source
    if not isinstance(source, SimulatedSource):
        raise ValueError(f"{site.camera}: expected a simulated camera")
    simulation, (lens, plane) = simulation_of(source), entry.calibrated((source.size_wh[1], source.size_wh[0]))
    bursts = plan_bursts(simulation, entry.zone)[: source.bursts_per_bucket]
    cv2.setNumThreads(1)  # as in the job's workers
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for burst in bursts:
            render_burst(simulation, lens, plane, burst, Path(folder), Path(folder) / f"{burst.index}.parquet")
    return (time.process_time() - begun) / sum(len(burst.frame_ids) for burst in bursts)


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """A row a camera."""
    rows = []
    for site in sites:
        rows.append({**measure(site.demand("IngestFrames", data)), "cpu_s_a_frame": cpu_s_a_frame(site)})
    bars = []
    for row in rows:
        name = row["camera"]
        bars.append(Bar(f"{name} least_tracks_a_bucket", row["least_tracks_a_bucket"], at_least=25))
        bars.append(Bar(f"{name} hidden_over_10_percent", row["hidden_over_10_percent"], at_least=0.30))
        fraction = row["behind_static_over_10_percent"]
        bars.append(Bar(f"{name} behind_static_over_10_percent", fraction, at_least=0.10))
        bars.append(Bar(f"{name} cpu_s_a_frame", row["cpu_s_a_frame"], at_most=SLOWEST_CPU_S))
    return Report(rows, bars)


if __name__ == "__main__":
    main("simulator", __doc__, report, cameras=CHECKED_CAMERAS)
