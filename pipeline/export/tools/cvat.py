"""CVAT for images 1.1: images/ and annotations.xml, to be imported into a task of these pictures.

An object is a mask of the whole of it; z_order stacks nearer ones above, so that what is seen of each is what no
higher mask covers. Its keypoints are a skeleton of a label of their own, in one group with the mask. Regions to ignore
are masks labelled `ignore`, below all others. `labels.json` goes into the raw view of a new task's labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import XMLGenerator

import numpy as np

from pipeline.core import masks
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.storage import atomic_path, write_json
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.scenes import FLAT, KEYPOINTS, Scene, counts, scenes

IGNORE = "ignore"
_ATTRIBUTES = ("object_id", "track_id", "subcategory", "depth_order", "visible_fraction", "occluder_ids")
_COLOURS = {"person": "#d33682", "vehicle": "#268bd2", IGNORE: "#586e75"}


def write(job: ExportJob) -> Written:
    """The folder images/ and the two files of labels."""
    total, objects = counts(job.clipart)
    write_json(job.out / "labels.json", _labels())
    with atomic_path(job.out / "annotations.xml") as part, part.open("w", encoding="utf-8") as file:
        xml = XMLGenerator(file, "utf-8", short_empty_elements=True)
        xml.startDocument()
        with _element(xml, "annotations"):
            _text(xml, "version", "1.1")
            _meta(xml, job, total)
            for scene in scenes(job, (*FLAT, *KEYPOINTS)):
                scene.write_picture(job.out / "images" / scene.name)
                _write_scene(xml, scene)
        xml.endDocument()
    return Written(
        f"{total} pictures with {objects} masks and their keypoints",
        "how a hidden keypoint is hidden, why a region is ignored, bodies, poses and everything in metres",
    )


class _element:
    """A tag with what is written within the block."""

    def __init__(self, xml: XMLGenerator, name: str, /, **attributes: object) -> None:
        self.xml, self.name, self.attributes = xml, name, {key: str(value) for key, value in attributes.items()}

    def __enter__(self) -> None:
        self.xml.startElement(self.name, self.attributes)  # type: ignore[arg-type]

    def __exit__(self, *_: object) -> None:
        self.xml.endElement(self.name)
        self.xml.characters("\n")


def _text(xml: XMLGenerator, name: str, text: str, /, **attributes: object) -> None:
    with _element(xml, name, **attributes):
        xml.characters(text)


def _meta(xml: XMLGenerator, job: ExportJob, total: int) -> None:
    with _element(xml, "meta"), _element(xml, "task"):
        _text(xml, "name", f"{job.camera_id} {job.mode}")
        _text(xml, "size", str(total))
        with _element(xml, "labels"):
            for label in _labels():
                with _element(xml, "label"):
                    _text(xml, "name", label["name"])
                    _text(xml, "type", label["type"])
                    with _element(xml, "attributes"):
                        for attribute in label["attributes"]:
                            with _element(xml, "attribute"):
                                _text(xml, "name", attribute["name"])
                                _text(xml, "input_type", "text")


def _labels() -> list[dict[str, Any]]:
    """CVAT's raw labels: a mask and a skeleton of each category, and what is ignored."""
    attributes = [{"name": name, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
                  for name in _ATTRIBUTES]  # fmt: skip
    plain = {"name": IGNORE, "color": _COLOURS[IGNORE], "type": "mask", "attributes": []}
    found: list[dict[str, Any]] = [plain]
    for category, skeleton in OF_CATEGORY.items():
        found.append({"name": category, "color": _COLOURS[category], "type": "mask", "attributes": attributes})
        points = [{"name": name, "type": "points", "color": _COLOURS[category], "attributes": []}
                  for name in skeleton.names]  # fmt: skip
        found.append({
            "name": f"{category} keypoints", "color": _COLOURS[category], "type": "skeleton", "attributes": [],
            "sublabels": points, "svg": _svg(category),
        })  # fmt: skip
    return found


def _svg(category: str) -> str:
    """CVAT draws a skeleton from this: its points on a circle, joined by its links."""
    skeleton = OF_CATEGORY[category]
    angle = 2 * np.pi * np.arange(len(skeleton)) / len(skeleton)
    places = np.round(50 + 40 * np.column_stack([np.cos(angle), np.sin(angle)]), 2).tolist()
    lines = [
        f'<line x1="{places[a][0]}" y1="{places[a][1]}" x2="{places[b][0]}" y2="{places[b][1]}" data-type="edge" '
        f'data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in skeleton.links
    ]
    points = [
        f'<circle r="1.5" cx="{x}" cy="{y}" data-type="element node" data-element-id="{k}" data-node-id="{k}" '
        f'data-label-name="{name}"></circle>'
        for k, ((x, y), name) in enumerate(zip(places, skeleton.names, strict=True), start=1)
    ]
    return "".join(lines + points)


def _write_scene(xml: XMLGenerator, scene: Scene) -> None:
    height, width = scene.size_hw
    about = {"id": scene.number - 1, "name": scene.name, "subset": scene.split, "width": width, "height": height}
    with _element(xml, "image", **about):
        for region in scene.ignored:
            with _element(xml, "mask", **_mask(scene, region.rle), label=IGNORE, source="file", occluded=0, z_order=0):
                pass
        for row in scene.objects:
            _write_object(xml, scene, row)


def _write_object(xml: XMLGenerator, scene: Scene, row: dict[str, Any]) -> None:
    number, above = scene.ids[row["object_id"]], len(scene.objects) - row["depth_order"]
    hidden = int(row["px_count_visib"] < row["px_count_all"])
    shape = {"source": "file", "occluded": hidden, "z_order": above, "group_id": number}
    values = {**row, "object_id": number, "occluder_ids": [scene.ids[one] for one in row["occluder_ids"]]}
    with _element(xml, "mask", label=row["category"], **_mask(scene, row["mask_amodal_rle"]), **shape):
        for name in _ATTRIBUTES:
            _text(xml, "attribute", _as_text(values[name]), name=name)
    if row["keypoints_2d"] is not None and row["keypoint_state"] is not None:
        with _element(xml, "skeleton", label=f"{row['category']} keypoints", **shape):
            for name, x, y, state in _points(row):
                place = {"outside": int(state == "truncated"), "occluded": int("occluded" in state)}
                with _element(xml, "points", label=name, source="file", points=f"{x:.2f},{y:.2f}", **place):
                    pass


def _points(row: dict[str, Any]) -> Iterator[tuple[str, float, float, str]]:
    """Name, place and state of each keypoint, its place from the picture's corner."""
    places = np.reshape(row["keypoints_2d"], (-1, 2)).astype(float)
    for name, (x, y), state in zip(OF_CATEGORY[row["category"]].names, places, row["keypoint_state"], strict=True):
        if np.isfinite([x, y]).all():
            yield name, x + 0.5, y + 0.5, state
        else:
            yield name, 0.0, 0.0, "truncated"


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _mask(scene: Scene, rle: str) -> dict[str, Any]:
    """CVAT's run lengths: of zeros and ones in turn, row by row, in the mask's box."""
    crop, (x, y, w, h) = masks.decode(rle, scene.size_hw)
    flat = np.concatenate([[False], crop.ravel()])
    edges = np.flatnonzero(np.diff(flat)).tolist()
    runs = np.diff([0, *edges, w * h])
    return {"rle": ", ".join(map(str, runs)), "left": x, "top": y, "width": w, "height": h}


FORMAT = Format("cvat", write)
