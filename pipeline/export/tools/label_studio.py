"""Label Studio: images/, labels.json to be imported and label_config.xml, the labelling interface.

An object is one region a part of its whole mask, polygons in percent along the pixels' edges, with its keypoints beside
it; parts and keypoints of one object have one `meta.text`, its number. Tasks are predictions, which annotators correct.
Pictures are found by local file serving: set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the export's parent folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.storage import atomic_path, write_bytes
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import compact
from pipeline.export.shared.outlines import rings
from pipeline.export.shared.scenes import FLAT, KEYPOINTS, Scene, counts, scenes

IGNORE = "ignore"


def write(job: ExportJob) -> Written:
    """The folder images/ and the two files."""
    total, objects = counts(job.clipart)
    with atomic_path(job.out / "labels.json") as part, part.open("wb") as file:
        file.write(b"[")
        for scene in scenes(job, (*FLAT, *KEYPOINTS)):
            scene.write_picture(job.out / "images" / scene.name)
            file.write(b"" if scene.number == 1 else b",\n")
            file.write(compact(_task(scene, job.name)))
        file.write(b"]")
    write_bytes(job.out / "label_config.xml", _interface().encode())
    return Written(
        f"{total} tasks with {objects} objects",
        "what is seen of an object beyond its share, how a keypoint is hidden, bodies, poses and everything in metres",
    )


def _task(scene: Scene, folder: str) -> dict[str, Any]:
    url = f"/data/local-files/?d={folder}/images/{scene.name}"
    found = [one for row in scene.objects for one in _regions(scene, row)]
    for number, region in enumerate(scene.ignored):
        found += _polygons(scene, f"ignore-{number}", region.rle, IGNORE, region.reason)
    return {
        "id": scene.number,
        "data": {"image": url, "scene_id": scene.row["scene_id"], "split": scene.split},
        "predictions": [{"model_version": "composed", "score": 1.0, "result": found}],
    }


def _regions(scene: Scene, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    number = scene.ids[row["object_id"]]
    hidden = f"{number}, {round(100 * row['visible_fraction'])} % seen"
    yield from _polygons(scene, str(number), row["mask_amodal_rle"], row["category"], hidden)
    if row["keypoints_2d"] is None or row["keypoint_state"] is None:
        return
    places = (np.reshape(row["keypoints_2d"], (-1, 2)).astype(float) + 0.5) / scene.size_hw[::-1] * 100
    names = OF_CATEGORY[row["category"]].names
    for k, (name, (x, y), state) in enumerate(zip(names, places, row["keypoint_state"], strict=True)):
        if state != "truncated" and np.isfinite([x, y]).all():
            value = {"x": float(x), "y": float(y), "width": 0.3, "keypointlabels": [f"{row['category']} {name}"]}
            yield _region(scene, f"{number}-{k}", "keypoint", value, hidden)


def _polygons(scene: Scene, name: str, rle: str, label: str, text: str) -> Iterator[dict[str, Any]]:
    for part, ring in enumerate(rings(rle, scene.size_hw)):
        percent = (ring / scene.size_hw[::-1] * 100).tolist()
        value = {"points": percent, "closed": True, "polygonlabels": [label]}
        yield _region(scene, f"{name}.{part}", "polygon", value, text)


def _region(scene: Scene, name: str, kind: str, value: dict[str, Any], text: str) -> dict[str, Any]:
    height, width = scene.size_hw
    return {
        "id": name, "type": f"{kind}labels", "from_name": kind, "to_name": "image", "original_width": width,
        "original_height": height, "image_rotation": 0, "value": value, "meta": {"text": [text]},
    }  # fmt: skip


def _interface() -> str:
    outlines = [f"    <Label value={quoteattr(name)}/>" for name in [*CATEGORY_IDS, IGNORE]]
    points = [f"    <Label value={quoteattr(f'{category} {name}')}/>" for category in CATEGORY_IDS
              for name in OF_CATEGORY[category].names]  # fmt: skip
    return "\n".join([
        "<View>", '  <Image name="image" value="$image" zoom="true"/>',
        '  <PolygonLabels name="polygon" toName="image">', *outlines, "  </PolygonLabels>",
        '  <KeyPointLabels name="keypoint" toName="image">', *points, "  </KeyPointLabels>", "</View>", "",
    ])  # fmt: skip


FORMAT = Format("label_studio", write)
