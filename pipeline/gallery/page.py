"""Make the gallery of a data set: a page that lists every scene, and beside it a folder of files that it opens lazily.

`gallery.html` holds the index of all scenes and the statistics; `gallery/<shard>/` the scenes, one file each, and
`gallery/ground/` the time buckets' backgrounds for the 3D view. The page asks the network for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.composition.hidden_fraction import OPEN_TO
from pipeline.core import storage, tables
from pipeline.gallery import statistics as gallery_statistics
from pipeline.gallery.index import Index, read_shards
from pipeline.gallery.layers import read_background
from pipeline.gallery.pictures import jpeg_base64, shrunk
from pipeline.gallery.scenes import GalleryJob, GallerySettings, script, write_scenes
from pipeline.gallery.template import fill, json_data, text
from pipeline.gallery.viewer_3d import COLOURS, GRID_M, viewer

Progress = Callable[[int, int], None]
Aim = Mapping[str, Sequence[float]]
_SCRIPTS = ("start", "index", "picture", "labels", "zoom", "space", "panels", "find", "pointer", "charts", "setup")

_DEFAULT = GallerySettings()


def build_gallery(
    clipart_dir: Path,
    out: Path,
    settings: GallerySettings = _DEFAULT,
    *,
    layers: Path | None = None,
    body_file: Path | None = None,
    asked: Aim | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of the shards in clipart_dir to `out`, and the folder of its name without `.html` beside it.

    `layers` is the camera's folder with `background/` and `cutouts/`: with it, peeling an object off shows what is
    behind it and the 3D view has its ground; without it, its place is left hatched. `body_file` is the user's body
    model, where it is not the one that ships. `asked` is the wanted distribution of hidden fractions in tenths, by
    category. Raises FileNotFoundError where there is no shard.
    """
    jobs = gallery_jobs(clipart_dir, out, settings, layers=layers, body_file=body_file)
    for number, job in enumerate(jobs, 1):
        write_scenes(job)
        if progress:
            progress(number, len(jobs))
    return write_page(clipart_dir, out, settings, layers=layers, asked=asked)


def gallery_jobs(
    clipart_dir: Path,
    out: Path,
    settings: GallerySettings,
    *,
    layers: Path | None = None,
    body_file: Path | None = None,
) -> list[GalleryJob]:
    """What `write_scenes` is to do before `write_page`, a job a shard."""
    images, objects, parts = read_shards(clipart_dir)
    large = Index(images, objects).large(settings.scenes)
    scenes, numbers = images["scene_id"].to_pylist(), images["part"].to_pylist()
    return [
        GalleryJob(
            name=name,
            images=clipart_dir / "images" / f"{name}.parquet",
            objects=clipart_dir / "objects" / f"{name}.parquet",
            out=out.with_suffix("") / name,
            large=frozenset(s for s, n in zip(scenes, numbers, strict=True) if n == part and s in large),
            settings=settings,
            camera_dir=layers,
            body_file=body_file,
        )
        for part, name in enumerate(parts)
    ]


def gallery_files(out: Path, *, hidden: bool) -> list[Path]:
    """Files beside the page: whole ones, or those that a killed run left under hidden names or in folders of such."""
    folder = out.with_suffix("")
    half = {path: any(name.startswith(".") for name in path.relative_to(folder).parts) for path in folder.rglob("*")}
    return sorted(path for path, is_half in half.items() if is_half == hidden and path.is_file())


def write_page(
    clipart_dir: Path,
    out: Path,
    settings: GallerySettings,
    *,
    layers: Path | None = None,
    asked: Aim | None = None,
) -> Path:
    """Write the page itself and the grounds of its 3D view, the scenes being there."""
    images, objects, parts = read_shards(clipart_dir)
    index, folder = Index(images, objects), out.with_suffix("")
    first = np.searchsorted(images["part"].to_numpy(), np.arange(len(parts))).tolist()
    columns = index.columns(index.large(settings.scenes), first)
    if layers is not None:
        _write_grounds(layers, folder / "ground", columns["buckets"], settings)
    page = {
        "camera": ", ".join(sorted(set(images["camera_id"].to_pylist()))),
        "modes": sorted(set(images["mode"].to_pylist())),
        "seeds": sorted(set(images["seed"].to_pylist())),
        "folder": folder.name,
        "parts": parts,
        "layers": layers is not None,
        "states": tables.KEYPOINT_STATES,
        "colours": COLOURS,
        "gridM": GRID_M,
        "openTo": OPEN_TO,
        "viewer": viewer(),
        "facts": gallery_statistics.facts(images, objects),
        "charts": gallery_statistics.charts(images, objects, asked),
        **columns,
    }
    storage.write_bytes(out, render(page).encode())
    return out


def render(page: Mapping[str, Any]) -> str:
    """The page's HTML; text of any kind may stand in the data."""
    return fill(
        "gallery.html",
        styles=["base.css", "gallery.css", "controls.css"],
        scripts=[f"{name}.js" for name in _SCRIPTS],
        title=text(f"{page['camera']} · clip-art gallery"),
        data=json_data(page),
    )


def _write_grounds(camera_dir: Path, folder: Path, buckets: Sequence[str], settings: GallerySettings) -> None:
    """A file a bucket: its background, for the ground of the 3D view."""
    for number, bucket in enumerate(buckets):
        picture = read_background(camera_dir, bucket)
        picture = shrunk(picture, min(1.0, settings.max_width / picture.shape[1]))
        ground = {"jpeg": jpeg_base64(picture, settings.jpeg_quality)}
        storage.write_bytes(folder / f"{number:02d}.js", script("addGround", bucket, ground))
