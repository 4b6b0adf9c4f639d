import copy
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from data_manifest import CAMERAS, ManifestError, known_cameras, load_camera

TILT = {"focal_px": 1000, "tilt_deg": 20, "roll_deg": 0, "height_m": 8}
K = [[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]]


@pytest.fixture
def base(tmp_path):
    (tmp_path / "gate.mp4").touch()
    source = {"kind": "video", "path": "gate.mp4", "start": "2025-06-03T07:00:00", "time_zone": "Europe/Berlin"}
    return {"source": source, "calibration": dict(TILT)}


@pytest.fixture
def load(tmp_path):
    def write_and_load(content):
        (tmp_path / "gate.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return load_camera("gate", tmp_path)

    return write_and_load


def changed(base, path, value):
    content = copy.deepcopy(base)
    *parents, key = path.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("calibration.focal_px", -3, "calibration.focal_px: must be positive, got -3"),
        ("calibration.focal_px", float("nan"), "calibration.focal_px: .*got nan"),
        ("calibration.height_m", "tall", "calibration.height_m: .*got 'tall'"),
        ("calibration.height_m", None, "calibration.height_m: missing"),
        ("calibration.focal", 3, r"calibration.focal: unknown key, got 3 \(did you mean focal_px\?\)"),
        ("calibration", {}, "calibration: expected ground_plane, R and t, or tilt_deg, roll_deg and height_m"),
        ("calibration", {"K": K, "ground_plane": [0, -1, 0, -7]}, "the picture would be upside down"),
        ("calibration", {"K": K, "ground_plane": [0, -1, 0, 0]}, "the camera must be above it, got height d = 0"),
        ("calibration", {"ground_plane": [0, -1, 0, 7]}, "expected one of them, got none"),
        ("calibration", TILT | {"K": K}, "expected one of them, got K and focal_px"),
        ("calibration", TILT | {"lens": "fisheye"}, "a fisheye lens has four terms k1 k2 k3 k4, got 0"),
        ("calibration", {"opencv_file": "none.yml"}, "calibration.opencv_file: no such file"),
        ("calibration", {"homography": K}, "calibration.maps: missing"),
        ("calibration", {"vanishing_points": [[0, 0], [9, 0]]}, "distance or height_m: expected one .* got neither"),
        ("calibration", {"kitti_file": "none.txt", "ground_plane": [0, -1, 0, 7]}, "kitti_file: no such file"),
        ("calibration.height_m", 7500, r"7500 m above the ground; it looks like millimetres \(height_m: 7.5\)"),
        ("calibration", {"K": K, "ground_plane": [0, -2, 0, 7]}, "expected a unit normal"),
        ("calibration", {"K": K, "R": K, "t": [0, 0, 5]}, "R: expected a rotation"),
        ("calibration", {"tsai_xml": "none.xml"}, "calibration.tsai_xml: no such file"),
        ("calibration.distortion", [0] * 6, "calibration: distortion: expected at most 5 terms, or 8, 12 or 14, got 6"),
        ("source.kind", "film", "source.kind: expected .*, got 'film'"),
        ("source.kind", None, "source.kind: missing"),
        ("source.path", "none.mp4", r"source.path: no such file: .*none\.mp4"),
        ("source.time_zone", "Mars/Olympus", "source.time_zone: expected an IANA time zone.*Mars"),
        ("source.time_zone", "../../etc/passwd", "source.time_zone: expected an IANA time zone"),
        ("source.start", "2025-06-03T07:00:00+02:00", "source.start: expected local wall-clock time"),
        ("source.start", "2025-03-30T02:30:00", "source: 2025-03-30 02:30:00: Europe/Berlin has no such time"),
        ("source.start", None, "source: start, or time_pattern .*: expected one of them, got none"),
        ("source.time_pattern", "%Y%m%d-%H%M%S", "source: start, or time_pattern .*, got both"),
        ("source.first", "soon", "source.first: expected a frame's number from 0, or a local time .*got 'soon'"),
        ("source.first", -1, "source.first: expected a frame's number .*got -1"),
        ("source.every", 0, "source.every: .*greater than or equal to 1, got 0"),
        ("colour", "red", "colour: unknown key"),
        ("classes", ["cat"], "classes.0: .*'person' or 'vehicle', got 'cat'"),
        ("buckets", [{"name": "../x", "start": "07:00", "end": "08:00"}], r"buckets.0.name: .*got '\.\./x'"),
        ("buckets", [{"name": "a", "start": 420, "end": "08:00"}], "buckets.0.start: write times in quotes"),
        ("buckets", [{"name": "a", "start": "07:00", "end": "08:00"}] * 2, "buckets: expected distinct bucket names"),
        ("roi", [[[0, 0], [1, 1]]], "roi.0: .*at least 3"),
        ("roi", [[[0, 0], [9, 9], [18, 18]]], r"roi.0: expected a region with an area"),
        ("ignore", [[[0, 0], [3e9, 0], [3e9, 9]]], r"ignore\.0\.1\.0: .*less than or equal to 32000"),
        ("source.path", "~nosuchuser/a.mp4", "source.path: the path: no such user: ~nosuchuser"),
        ("source.start", "0001-01-01T00:00:00", "source.start: expected a year from 1900 to 2200, got 1"),
        ("source.start", "9999-12-31T23:59:59", "source.start: expected a year from 1900 to 2200, got 9999"),
        ("source.fps", 1e12, "source.fps: .*less than or equal to 100000"),
        ("source.every", 10**30, "source.every: .*less than or equal to"),
        ("calibration.image_size_wh", [16384, 16384], "calibration.image_size_wh: .*128 megapixels"),
        ("buckets", [{"name": "a", "start": "07:00+02:00", "end": "08:00"}], "buckets.0.start: .*without an offset"),
        ("detector", {"backend": "../magic"}, r"detector.backend: .*got '\.\./magic'"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(base, load, path, value, message):
    with pytest.raises(ManifestError, match=message) as error:
        load(changed(base, path, value))
    assert "gate.yaml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- 1", "expected keys such as source"),
        ("", "expected keys"),
        ("a: !!python/name:os", "not YAML"),
    ],
)
def test_what_is_no_manifest_is_one_line(load, text, message):
    with pytest.raises(ManifestError, match=message) as error:
        load(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("camera_id", ["../gate", "Gate", "", "a/b", "a b", "gate.yaml", "gate\n"])
def test_an_id_that_could_reach_a_path_is_refused(camera_id):
    with pytest.raises(ManifestError, match="camera id: expected a-z, 0-9, _ and - only"):
        load_camera(camera_id)


@pytest.mark.parametrize("glob", [".", "", "../*", "/etc/*", "***", "a\0b"])
def test_a_glob_that_is_none_is_one_line(tmp_path, base, load, glob):
    source = {"kind": "images", "folder": ".", "glob": glob, "time_pattern": "%Y%m%d-%H%M%S", "time_zone": "UTC"}
    with pytest.raises(ManifestError, match=r"gate\.yaml: .*(source\.glob|expected text)") as error:
        load(base | {"source": source})
    assert "\n" not in str(error.value)


def test_a_region_off_the_frames_is_told_when_their_size_is_known(base, load):
    entry = load(changed(base, "ignore", [[[0, 0], [9, 0], [9, 9]], [[700, 0], [900, 0], [900, 90]]]))
    with pytest.raises(ManifestError, match=r"ignore\.1: expected a region on the frames, it lies off their 640x360"):
        entry.ignored((360, 640))
    assert entry.ignored((360, 1000)).sum() > 100


def test_files_whose_names_are_not_utf_8_are_told(tmp_path, base, load):
    source = {"kind": "images", "folder": ".", "time_pattern": "%Y%m%d-%H%M%S", "time_zone": "UTC"}
    entry = load(base | {"source": source})
    (entry.path.parent / "20250203-040506\udce9.jpg").touch()
    with pytest.raises(ValueError, match=r"source: a file whose name is not UTF-8; rename it") as error:
        entry.recorded_files()
    str(error.value).encode()


def test_an_unknown_camera_lists_the_known_ones():
    with pytest.raises(
        ManifestError, match=r"expected its manifest at data_manifest/cameras/nope\.yaml; .*cam07, cam11"
    ):
        load_camera("nope")


def test_all_calibrations_build_the_same_camera(base, load):
    tilt = load(base).calibrated((720, 1280))
    plane = load(changed(base, "calibration", {"K": K, "ground_plane": [*map(float, tilt[1].n), 8]}))
    world = {"K": K, "R": tilt[1].R_cam_world.tolist(), "t": (-8 * tilt[1].n).tolist(), "distortion": [0.1]}
    for entry in (plane, load(changed(base, "calibration", world))):
        camera, ground = entry.calibrated((720, 1280))
        assert camera.K == pytest.approx(tilt[0].K)
        assert np.r_[ground.n, ground.d] == pytest.approx(np.r_[tilt[1].n, 8])
    assert camera.distortion == pytest.approx([0.1, 0, 0, 0, 0])


def test_a_calibration_of_larger_images_is_scaled_and_of_another_shape_refused(base, load):
    entry = load(changed(base, "calibration.image_size_wh", [2560, 1440]))
    camera, _ = entry.calibrated((720, 1280))
    assert camera.K[0, 0] == pytest.approx(500)
    assert camera.size_hw == (720, 1280)
    with pytest.raises(ManifestError, match="is for 2560x1440 images, the frames are 640x480"):
        entry.calibrated((480, 640))


def test_buckets_follow_the_local_clock(base, load):
    moment = datetime(2025, 6, 3, 6, 30, tzinfo=UTC)  # half past eight in Berlin
    assert load(base).bucket_of(moment) == "h08"
    named = changed(base, "buckets", [{"name": "rush", "start": "08:00", "end": "09:00"}])
    assert load(named).bucket_of(moment) == "rush"
    assert load(named).bucket_of(moment.replace(hour=8)) is None


def test_polygons_say_where_not_to_detect(base, load):
    assert load(base).ignored((20, 30)) is None
    half = changed(base, "roi", [[[0, 0], [14, 0], [14, 19], [0, 19]]])
    mask = load(changed(half, "ignore", [[[0, 0], [29, 0], [29, 4], [0, 4]]])).ignored((20, 30))
    assert mask[5:, :15].sum() == 0
    assert mask[:5].all()
    assert mask[:, 15:].all()


def test_relative_paths_belong_to_the_yamls_folder(base, load, tmp_path):
    entry = load(base)
    assert entry.resolve(entry.manifest.source.path) == (tmp_path / "gate.mp4").resolve()


def test_the_bundled_cameras_load_and_the_examples_miss_only_their_footage():
    for camera_id in ("cam07", "cam11"):
        camera, plane = load_camera(camera_id).calibrated((720, 1280))
        assert camera.size_hw == (720, 1280)
        assert plane.d > 3
    for camera_id in ("example_video", "example_images"):
        assert camera_id in known_cameras()
        with pytest.raises(ManifestError, match=r"no such (file|folder): .*footage"):
            load_camera(camera_id)


def test_every_way_that_the_example_explains_is_valid(base, load):
    text = (CAMERAS / "example_video.yaml").read_text()
    lines = [line.strip()[2:] for line in text.splitlines() if line.strip().startswith("# ")]
    blocks = [yaml.safe_load("\n".join(lines[i : i + n])) for i, n in _blocks(lines)]
    assert len(blocks) == 2
    for block in blocks:
        _, plane = load(changed(base, "calibration", block)).calibrated((1080, 1920))
        assert plane.d == pytest.approx(7.5, rel=0.01)


def _blocks(lines):
    """Where K stands with the keys that belong to it: (first line, number of lines)."""
    for i, line in enumerate(lines):
        if line.startswith("K:"):
            yield i, 2 if lines[i + 1].startswith("ground_plane") else 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "source: time_pattern, or fps and start of numbered images: missing"),
        ({"fps": 5}, "source: time_pattern, or fps and start"),
        ({"time_pattern": "%Y%m%d%H%M%S", "fps": 5}, "source: fps: the names tell the times by time_pattern"),
        ({"time_pattern": "%Y%m%d%H%M%S", "start": "2025-06-03T07:00:00"}, "source: start: the names tell the date"),
    ],
)
def test_images_are_timed_in_one_way(base, load, tmp_path, source, message):
    zone = {"time_zone": "Europe/Berlin"}
    with pytest.raises(ManifestError, match=message):
        load(base | {"source": {"kind": "images", "folder": str(tmp_path)} | zone | source})
    for good in ({"fps": 5, "start": "2025-06-03T07:00:00"}, {"time_pattern": "%Y%m%d%H%M%S-%q", "fps": 5}):
        load(base | {"source": {"kind": "images", "folder": str(tmp_path)} | zone | good})


def test_a_recording_may_be_a_folder_or_a_glob_of_segments(base, load, tmp_path):
    (tmp_path / "day").mkdir()
    for name in ("10.mp4", "9.MP4", "notes.txt", ".hidden.mp4"):
        (tmp_path / "day" / name).touch()
    source = base["source"] | {"path": "day"}
    assert [p.name for p in load(base | {"source": source}).recorded_files()] == ["9.MP4", "10.mp4"]
    source["path"] = "d*/1*.mp4"
    assert [p.name for p in load(base | {"source": source}).recorded_files()] == ["10.mp4"]
    source["path"] = "day/*.avi"
    with pytest.raises(ManifestError, match=r"source\.path: no such file: .*\*\.avi"):
        load(base | {"source": source})
