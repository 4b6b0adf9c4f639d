"""KLPNet on real pictures, where they are at hand: overlays for people to judge, counts, and a few labelled people.

    python -m benchmarks.klpnet_real [--check] [--quick] [--data DIR] [--weights FILE] [--detector FILE]

A few frames of each clip of roads, JamCams and PETS; --detector, an exported network that segments, finds their objects
(what real_perception measures, where it is at hand), and KLPNet finds points and links in these boxes. Then published
samples of labelled people, in their labelled boxes: too few to say more than that it runs. Pictures and
predictions.json lie in benchmarks/out/klpnet_real. What this machine lacks is skipped with a reason. Nothing binds:
nobody has labelled the points of these streets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.job import REAL
from benchmarks.common.report import OUT, Report, main
from benchmarks.keypoints.klpnet_study import QUICK_STEPS, TABLES, Study
from benchmarks.pipeline.real_cameras import named_files
from models.klpnet import SPEC
from models.klpnet.evaluate import frame_of_picture, judge, load_network
from models.klpnet.network import KlpNet, labels_of
from models.linked_objects.labelled import read_linked_coco
from models.linked_objects.shards import LinkedPictures
from models.metrics.links import pooled_scores
from models.predictor import Predictor
from pipeline.detection.onnx import OnnxDetector, OnnxSettings
from tasks.predict.inputs import LeftOut, Read, frames_of, is_video
from tasks.predict.overlay import LEAST_PX
from tasks.predict.run import Prediction, detect_with, predicted, write_predictions

SHEETS = OUT / "klpnet_real"
CLIPS = ("road", "jamcam", "pets_s2l1")
PEOPLE = {"crowdpose": "test_crowdpose.json", "ochuman": "test_ochuman.json", "coco": "test_coco.json"}
_NETWORK = "yolo11n-seg.onnx"  # beside the one that the camera of PETS names
_FRAMES, _EVERY = 3, 120  # of each clip


def detector_file() -> Path:
    """Where an exported network is looked for."""
    return named_files("pets-onnx")["detector", "model"].with_name(_NETWORK)


def report(quick: bool, data: Path, weights: Path | None, detector: Path | None) -> Report:
    """A row a clip, then a row for each sample of labelled people; notes on what was skipped."""
    torch.set_num_threads(1)
    if weights is None and quick and not (SPEC.weights and SPEC.weights.is_file()):
        weights = Study(data, 0, QUICK_STEPS, quick=True).weights(TABLES["baselines"][0])
    network, file = load_network(weights or SPEC.shipped), weights or SPEC.shipped
    model, notes = detector or detector_file(), dict[str, str]()
    if detector is not None and not model.is_file():
        raise FileNotFoundError(f"--detector: no such file: {model}")
    rows = list(_clips(network, file, model, 1 if quick else _FRAMES, notes))
    return Report([*rows, *_people(network, file, notes)], [], notes)


def _clips(network: KlpNet, weights: Path, model: Path, frames: int, notes: dict[str, str]) -> Iterator[dict[str, Any]]:
    if not model.is_file():
        notes["clips skipped"] = f"no {model.name} on this machine, and no --detector"
        return
    detect = detect_with(OnnxDetector(OnnxSettings(str(model))))
    predictor = Predictor(SPEC, network)
    for name in CLIPS:
        files = sorted(path for path in (REAL / name).glob("*") if is_video(path))
        if not files:
            notes[f"{name} skipped"] = f"no videos in {REAL.name}/{name} on this machine"
        for path in files:
            found = list(predicted(islice(frames_of([path], _EVERY), frames), SPEC, predictor, detect))
            try:
                yield written(SHEETS / name / path.stem, f"{name}/{path.name}", network, weights, found)
            except ValueError as error:  # no frame of it can be decoded
                notes[f"{name}/{path.name} skipped"] = str(error)


def written(
    out: Path, name: str, network: KlpNet, weights: Path, found: Sequence[Prediction | LeftOut]
) -> dict[str, Any]:
    """Write the overlays of frames; the row of their counts. Points are found or, `inferred`, guessed from the others;
    of objects whose longer side is below LEAST_PX no points are drawn."""
    write_predictions(out, SPEC, weights, found)
    objects = [one.objects for one in found if isinstance(one, Prediction)]
    inferred = [points for o in objects for points in o["keypoint_inferred"]]
    links = [scores for o in objects for scores in o["link_score"]]
    boxes = np.concatenate([np.asarray(o["bbox_xywh"], float).reshape(-1, 4) for o in objects])
    labels = [label for o in objects for label in labels_of(o, network.table)]
    listed = np.bincount(labels, minlength=len(network.table) + 1)
    named = zip(("no class of its own", *network.table.names), listed, strict=True)
    return {
        "pictures": name, "frames": len(objects), "objects": len(boxes),
        "too small to draw": int((boxes[:, 2:].max(1, initial=0) < LEAST_PX).sum()),
        "classes": ", ".join(f"{count} {kind}" for kind, count in named if count),
        "points found": int(sum((~np.asarray(one, bool)).sum() for one in inferred)),
        "points inferred": int(sum(np.asarray(one, bool).sum() for one in inferred)),
        "links": sum(len(one) for one in links),
        "mean probability of a link": float(np.mean(np.concatenate(links))) if any(map(len, links)) else float("nan"),
    }  # fmt: skip


def _people(network: KlpNet, weights: Path, notes: dict[str, str]) -> Iterator[dict[str, Any]]:
    predictor = Predictor(SPEC, network)
    for name, file in PEOPLE.items():
        folder = REAL / "pose_samples" / name
        if not (folder / file).is_file():
            notes[f"{name} skipped"] = f"no {file} on this machine"
            continue
        try:
            pictures = read_linked_coco(folder / file, folder, network.table)
        except ValueError as error:  # labels that lie outside their boxes, or a table without people
            notes[f"{name} skipped"] = str(error).removeprefix(f"{folder}/")
            continue
        reads = [Read(n, frame_of_picture(p, network.table.names)) for n, p in enumerate(pictures) if p.objects]
        found = list(predicted(reads, SPEC, predictor, None))
        row = written(SHEETS / "people" / name, f"pose_samples/{name}", network, weights, found)
        yield row | _scored(network, pictures)


def _scored(network: KlpNet, pictures: LinkedPictures) -> dict[str, float]:
    """PCK@0.1, with OracleId, and links' F1 of labelled people."""
    scores = pooled_scores([one.scored for one in judge(network, pictures)])
    return {"PCK": scores["pck"], "OracleId": scores["pck_oracle"], "F1": scores["link_f1"]}


if __name__ == "__main__":
    main(
        "klpnet_real",
        __doc__,
        report,
        weights="weights to try, else those that ship",
        detector="exported network that finds the objects",
    )
