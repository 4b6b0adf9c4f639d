import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import boxes
import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.body_model import load_body
from pipeline.composition.manifest import build_manifest, of_one_data_set
from pipeline.composition.meshes import SceneGeometry, depth_png, solid_of
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core import masks
from pipeline.core.storage import data_set_of, mark_of
from pipeline.core.tables import IMAGES, OBJECTS


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "drawn"
    boxes.write_camera(folder, boxes.street(40))
    return folder


def job_for(camera, out, **changes):
    settings = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5)
    job = ShardJob("drawn", camera, out, boxes.CAMERA, boxes.PLANE, 5, 0, 2, 6, settings=settings)
    return replace(job, **changes)


@pytest.fixture(scope="module")
def shard(camera, tmp_path_factory):
    job = job_for(camera, tmp_path_factory.mktemp("clipart"))
    compose_shard(job)
    return job


@pytest.fixture(scope="module")
def tables(shard):
    return [pd.read_parquet(path) for path in shard.paths]


def test_the_tables_have_their_columns_and_what_viewers_need(shard):
    for path, schema in zip(shard.paths, (IMAGES, OBJECTS), strict=True):
        written = pq.read_schema(path)
        assert written.equals(schema)
        for name in schema.names:
            assert schema.field(name).metadata.items() <= written.field(name).metadata.items()
    huggingface = json.loads(pq.read_schema(shard.paths[0]).metadata[b"huggingface"])
    assert huggingface["info"]["features"] == {name: {"_type": "Image"} for name in ("image", "depth", "normals")}


def test_pictures_are_jpegs_of_the_frame_and_count_their_objects(tables):
    images, objects = tables
    assert images["scene_id"].is_unique and len(images) == 6
    for _, image in images.iterrows():
        picture = cv2.imdecode(np.frombuffer(image["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (*boxes.SIZE_HW, 3)
        here = objects[objects["scene_id"] == image["scene_id"]]
        assert image["n_objects"] == len(here)
        assert sorted(here["depth_order"]) == list(range(len(here)))


def test_visible_masks_are_amodal_minus_nearer_ones(tables):
    hidden = 0
    for _, scene in tables[1].groupby("scene_id"):
        nearer = np.zeros(boxes.SIZE_HW, bool)
        for _, thing in scene.sort_values("depth_order").iterrows():
            amodal = masks.full(thing["mask_amodal_rle"], boxes.SIZE_HW)
            visible = masks.full(thing["mask_visible_rle"], boxes.SIZE_HW)
            assert (visible == (amodal & ~nearer)).all()
            assert (thing["px_count_all"], thing["px_count_visib"]) == (amodal.sum(), visible.sum())
            assert thing["visible_fraction"] == pytest.approx(visible.sum() / amodal.sum())
            in_front = scene[scene["depth_order"] < thing["depth_order"]]
            covers = {
                o["object_id"]
                for _, o in in_front.iterrows()
                if (masks.full(o["mask_visible_rle"], boxes.SIZE_HW) & amodal).any()
            }
            assert set(thing["occluder_ids"]) == covers
            hidden += bool(covers)
            nearer |= amodal
    assert hidden > 0


def test_keypoints_of_hidden_points_are_occluded(tables):
    mixed = 0
    for _, scene in tables[1].groupby("scene_id"):
        for _, thing in scene.iterrows():
            x, y = np.rint(np.reshape(thing["keypoints_2d"], (12, 2))).astype(int).T
            in_front = scene[scene["depth_order"] < thing["depth_order"]]
            nearer = np.zeros(boxes.SIZE_HW, bool)
            for rle in in_front["mask_amodal_rle"]:
                nearer |= masks.full(rle, boxes.SIZE_HW)
            covered = nearer[y, x][:6]
            assert list(thing["keypoint_state"][:6]) == ["occluded" if hidden else "visible" for hidden in covered]
            assert set(thing["keypoint_state"][6:]) == {"self_occluded"}
            mixed += 0 < covered.sum() < 6
    assert mixed >= 2, "no object is hidden in part: this scene tells no order of keypoints"


def test_vehicles_without_keypoints_are_composed_without(camera, tables, tmp_path):
    """Those whose front nothing tells from their rear; everyone else's labels are as they were."""
    folder = tmp_path / "drawn"
    shutil.copytree(camera, folder)
    (part,) = (folder / "reconstructed").glob("*.parquet")
    rows = pq.read_table(part).to_pylist()
    for row in rows[::3]:
        row |= {name: [] for name in ("keypoints_2d", "keypoint_state", "keypoint_score", "keypoints_3d")}
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(part)), part)
    job = job_for(folder, tmp_path / "clipart")
    compose_shard(job)
    objects = pd.read_parquet(job.paths[1])
    bare = {row["cutout_id"] for row in rows[::3]}
    assert objects["cutout_id"].isin(bare).any()
    for (_, now), (_, before) in zip(objects.iterrows(), tables[1].iterrows(), strict=True):
        assert now["mask_visible_rle"] == before["mask_visible_rle"]
        kept = [] if now["cutout_id"] in bare else before["keypoint_state"].tolist()
        assert now["keypoint_state"].tolist() == kept


def test_scenes_say_where_and_when_they_are(tables, camera):
    images, objects = tables
    cutouts = pd.read_parquet(camera / "cutouts").set_index("cutout_id")
    for _, image in images.iterrows():
        np.testing.assert_array_equal(np.reshape(image["K"], (3, 3)), boxes.CAMERA.K)
        *normal, height = image["ground_plane"]
        np.testing.assert_array_equal(normal, boxes.PLANE.n)
        assert height == boxes.PLANE.d > 0
        mine = cutouts.loc[objects.loc[objects["scene_id"] == image["scene_id"], "cutout_id"]]
        assert image["timestamp"] == mine["timestamp"].max()
        assert set(mine["bucket"]) == {image["background"]}
        assert (image["seed"], image["shard"], image["camera_id"], image["mode"]) == (5, 0, "drawn", "walt3d")
        assert (image["height"], image["width"]) == boxes.SIZE_HW


def test_a_scene_has_its_cameras_lens(shard, tmp_path):
    lens = boxes.Camera(boxes.CAMERA.K, boxes.SIZE_HW, np.array([-0.2, 0.05, 0.001, -0.002, 0.01]))
    job = replace(shard, out_dir=tmp_path, camera=lens, scenes=1)
    compose_shard(job)
    assert pd.read_parquet(job.paths[0])["distortion"][0].tolist() == lens.distortion.tolist()


def test_objects_say_where_they_come_from(tables, camera):
    objects = tables[1]
    cutouts = pd.read_parquet(camera / "cutouts").set_index("cutout_id").loc[objects["cutout_id"]]
    for ours, theirs in (("source_frame", "frame_id"), ("track_id", "track_id"), ("mask_amodal_rle", "mask_rle")):
        assert objects[ours].tolist() == cutouts[theirs].tolist()
    assert (objects["track_id"] == [boxes.track_of(number) for number in objects["cutout_id"]]).all()
    places = pd.read_parquet(camera / "reconstructed").set_index("cutout_id").loc[objects["cutout_id"]]
    for name in ("keypoints_2d", "keypoints_3d", "R", "t", "dims_lwh_m", "keypoint_score"):
        for mine, placed in zip(objects[name], places[name], strict=True):
            np.testing.assert_array_equal(mine, placed)


def test_a_picture_shows_every_object_in_its_colour_where_it_is_visible_and_the_street_elsewhere(tables, camera):
    """BGR; the flat colours of the drawn cars survive a JPEG but for a few grey levels inside their outlines."""
    images, objects = tables
    colours = (
        pd.read_parquet(camera / "cutouts")
        .set_index("cutout_id")["sprite"]
        .map(lambda sprite: cv2.imdecode(np.frombuffer(sprite, np.uint8), cv2.IMREAD_UNCHANGED)[0, 0, :3].astype(float))
    )
    inner = np.ones((7, 7), np.uint8)
    seen = 0
    for _, image in images.iterrows():
        picture = cv2.imdecode(np.frombuffer(image["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        street = np.ones(boxes.SIZE_HW, np.uint8)
        for _, thing in objects[objects["scene_id"] == image["scene_id"]].iterrows():
            street[masks.full(thing["mask_amodal_rle"], boxes.SIZE_HW)] = 0
            visible = masks.full(thing["mask_visible_rle"], boxes.SIZE_HW).astype(np.uint8)
            inside = cv2.erode(visible, inner, borderValue=0) > 0
            if inside.any():
                assert np.abs(picture[inside].mean(axis=0) - colours[thing["cutout_id"]]).max() < 4
                seen += 1
        away = cv2.erode(street, np.ones((33, 33), np.uint8)) > 0  # a block of 16 px is the farthest that colours bleed
        assert np.abs(picture[away].astype(int) - boxes.BACKGROUNDS[image["background"]]).max() < 3
    assert seen > 15


def test_depth_and_normals_are_there_when_asked_for_and_change_nothing_else(camera, tables, shard, tmp_path):
    job = job_for(camera, tmp_path, settings=replace(shard.settings, geometry=True))
    compose_shard(job)
    images = pd.read_parquet(job.paths[0])
    assert job.paths[1].read_bytes() == shard.paths[1].read_bytes()
    assert tables[0]["depth"].isna().all() and tables[0]["normals"].isna().all()
    pd.testing.assert_frame_equal(
        images.drop(columns=["depth", "normals"]), tables[0].drop(columns=["depth", "normals"])
    )
    for _, image in images.iterrows():
        depth = cv2.imdecode(np.frombuffer(image["depth"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
        normals = cv2.imdecode(np.frombuffer(image["normals"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert (depth.shape, depth.dtype) == (boxes.SIZE_HW, np.uint16)
        assert (normals.shape, normals.dtype) == ((*boxes.SIZE_HW, 3), np.uint8)
        for _, thing in tables[1][tables[1]["scene_id"] == image["scene_id"]].iterrows():
            seen = masks.full(thing["mask_visible_rle"], boxes.SIZE_HW)
            if seen.any():  # a box's middle pixel shows it between its near and its far end
                assert abs(np.median(depth[seen]) / 100 - thing["z_m"]) < 3


def test_people_keep_their_bodies_and_depth_shows_them(tmp_path):
    pairs = boxes.street(6)
    theta = np.zeros((24, 3))
    theta[0] = [np.pi, 0, 0]  # upright: the camera's y points down
    known = {"body_model": load_body().name, "smpl_beta": [0.3] * 10, "smpl_theta": theta.ravel().tolist()}
    for cutout, place in pairs:
        place |= known | {"category": "person", "smpl_transl": place["t"]}
        cutout |= {"category": "person"}
    boxes.write_camera(tmp_path / "drawn", pairs)
    settings = ComposeSettings(objects_min=2, objects_max=4, objects_mean=3, geometry=True)
    job = job_for(tmp_path / "drawn", tmp_path / "out", scenes=2, settings=settings)
    compose_shard(job)
    images, objects = (pd.read_parquet(path) for path in job.paths)
    things = {place["cutout_id"]: place for _, place in pairs}
    for _, thing in objects.iterrows():
        for name in ("smpl_theta", "smpl_beta", "smpl_transl"):
            np.testing.assert_array_equal(thing[name], things[thing["cutout_id"]][name])
        assert thing["body_model"] == load_body().name
    scene = objects[objects["scene_id"] == images["scene_id"][0]].to_dict("records")
    depth, _ = SceneGeometry(boxes.CAMERA, boxes.PLANE).render([solid_of(thing) for thing in scene])
    np.testing.assert_array_equal(images["depth"][0]["bytes"], depth_png(depth))


def test_composing_without_geometry_loads_no_torch(camera, tmp_path):
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps(job_for(camera, tmp_path / "out", scenes=1)))
    code = "import pathlib, pickle, sys; from pipeline.composition.shards import compose_shard;"
    code += "compose_shard(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(job)], check=True)


def test_asking_for_geometry_makes_another_data_set(shard):
    asked = replace(shard, settings=replace(shard.settings, geometry=True))
    assert hash_of(asked) != hash_of(shard)


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(camera, shard, tmp_path):
    same, other = job_for(camera, tmp_path / "same"), job_for(camera, tmp_path / "other", seed=6)
    no_cache = replace(same, out_dir=tmp_path / "slow", settings=replace(same.settings, sprite_cache_mb=0))
    for job in (same, other, no_cache):
        compose_shard(job)
    for mine, again, slow in zip(shard.paths, same.paths, no_cache.paths, strict=True):
        assert mine.read_bytes() == again.read_bytes() == slow.read_bytes()
    assert shard.paths[0].read_bytes() != other.paths[0].read_bytes()


def test_shards_of_one_seed_differ(camera, shard, tables, tmp_path):
    second = job_for(camera, tmp_path, shard=1)
    compose_shard(second)
    theirs = pd.read_parquet(second.paths[1])
    drawn = [[set(ids) for _, ids in t.groupby("scene_id")["cutout_id"]] for t in (tables[1], theirs)]
    assert drawn[0] != drawn[1]


def test_a_shard_is_done_when_both_parts_are_there(camera, tmp_path):
    job = job_for(camera, tmp_path, scenes=1)
    assert not job.done
    compose_shard(job)
    assert job.done
    assert [path.name for path in job.paths] == ["part-00000-of-00002.parquet"] * 2
    job.paths[0].unlink()
    assert not job.done


def test_the_manifest_counts_what_is_there(shard, tables):
    manifest = build_manifest([shard])
    seen = tables[1]["visible_fraction"]
    assert manifest["statistics"]["objects"] == len(tables[1])
    assert manifest["statistics"]["partly_hidden"] == pytest.approx((seen < 1).mean(), abs=1e-4)
    assert manifest["statistics"]["categories"] == {"vehicle": len(tables[1])}
    assert manifest == build_manifest([shard])
    faster = replace(shard, settings=replace(shard.settings, sprite_cache_mb=1))
    assert hash_of(faster) == hash_of(shard)


def hash_of(job):
    return of_one_data_set([job])[0].data_set


def test_both_parts_bear_the_hash_of_all_that_they_are_made_of(camera, tmp_path):
    """Another cutout gives another hash, and shards that bear it are not taken for these."""
    shutil.copytree(camera, tmp_path / "here")
    (job,) = of_one_data_set([job_for(tmp_path / "here", tmp_path / "out", scenes=1, shards=1)])
    compose_shard(job)
    assert [mark_of(path) for path in job.paths] == [job.data_set] * 2 == [data_set_of(job.out_dir)] * 2
    assert build_manifest([job])["hash"] == job.data_set
    assert pd.read_parquet(job.out_dir / "objects").equals(pd.read_parquet(job.paths[1]))
    part = next((tmp_path / "here/cutouts").glob("*.parquet"))
    pq.write_table(pq.read_table(part).slice(0, 60), part)
    (changed,) = of_one_data_set([job])
    assert changed.data_set != job.data_set
    with pytest.raises(ValueError, match=r"part-00000-of-00001\.parquet: was composed of other cutouts"):
        build_manifest([changed])
    other = replace(changed, out_dir=tmp_path / "other")
    compose_shard(other)
    shutil.copy(other.paths[1], job.paths[1])
    with pytest.raises(ValueError, match="do not mix"):
        data_set_of(job.out_dir)


def test_a_background_of_another_size_is_named(camera, tmp_path):
    boxes.write_camera(tmp_path / "other", boxes.street(12))
    (tmp_path / "other/background/noon.png").write_bytes(boxes.png(np.zeros((10, 10, 3), np.uint8)))
    (tmp_path / "other/background/dusk.png").unlink()
    with pytest.raises(
        ValueError,
        match=r"background/.*(expected a picture of 320x240, found 10x10|there is none of this bucket).*Verify --mend",
    ):
        compose_shard(job_for(tmp_path / "other", tmp_path / "out"))


def test_no_track_and_no_source_frame_stands_in_both_splits(camera, tmp_path):
    job = job_for(camera, tmp_path, scenes=30)
    compose_shard(job)
    images, objects = (pd.read_parquet(path) for path in job.paths)
    assert set(images["split"]) == {"train", "val"}
    assert objects.groupby("scene_id")["split"].nunique().eq(1).all()
    assert (objects.merge(images, on="scene_id").eval("split_x == split_y")).all()
    for column in ("track_id", "source_frame", "cutout_id"):
        of_split = [set(objects.loc[objects["split"] == name, column]) for name in ("train", "val")]
        assert not of_split[0] & of_split[1]
    filtered = pd.read_parquet(job.paths[1], filters=[("split", "==", "val")])
    assert len(filtered) == (objects["split"] == "val").sum() > 0
    ends_s = objects["scene_id"].map(images.set_index("scene_id")["background"]).map({"noon": 30.6, "dusk": 31.2})
    last_fifth = objects["source_frame"] > ends_s  # a cutout's number is its time: noon has 1 to 38, dusk 0 to 39
    assert (objects["split"].eq("val") == last_fifth).all()


def test_where_nothing_may_validate_all_scenes_train_and_the_manifest_says_so(tmp_path):
    folder = tmp_path / "data"
    boxes.write_camera(folder, [row for row in boxes.street(20) if row[0]["bucket"] == "noon"][:9])
    job = job_for(
        folder, tmp_path / "out", scenes=10, shards=1, settings=ComposeSettings(objects_min=3, objects_mean=3)
    )
    compose_shard(job)
    assert set(pd.read_parquet(job.paths[0])["split"]) == {"train"}
    splits = build_manifest([job])["statistics"]["splits"]
    assert splits["val"]["scenes"] == 0 and splits["train"]["scenes"] == 10 and splits["val"]["cutouts"] == 2
