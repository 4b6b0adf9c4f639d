"""The luigi line as a user runs it, in a process of its own, from an unrelated folder."""

import json
import os
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pyarrow.parquet as pq
import pytest
from footage import write_jpeg
from house import clean_environment
from schedulers import luigid
from waiting import until

from readers.pictures import decode_image


def files(folder):
    """Name and bytes of every file but the locks."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".lock"
    }


def refused(result, *expected):
    """A failure of one line that holds all of `expected`."""
    code, _, lines = result
    assert code != 0
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, lines
    assert not any("Traceback" in line for line in lines)
    for text in expected:
        assert text in errors[0]


def test_calibration_is_drawn_from_any_folder_and_nothing_is_made_twice(house):
    house.video()
    code, out, lines = house.luigi("ShowCalibration", "--camera", "gate")
    assert code == 0, lines
    picture = house.data / "gate/calibration.png"
    assert str(picture) in out
    assert decode_image(picture.read_bytes(), "x").shape == (96, 128, 3)
    assert any("40 frames" in line for line in lines)
    index = pq.read_table(house.data / "gate/frames/index.parquet")
    assert index["bucket"].to_pylist() == ["h07"] * 20 + ["h08"] * 20
    before = files(house.data)
    code, out, lines = house.luigi("ShowCalibration", "--camera", "gate")
    assert code == 0
    assert str(picture) in out
    assert files(house.data) == before
    assert not any("IngestFrames" in line for line in lines)


def test_bad_input_is_one_line_and_a_failure(house):
    house.video()
    house.camera("lost", {"kind": "video", "path": "none.mp4", "start": "2025-06-03T08:00:00"})
    (house.folder / "empty").mkdir()
    house.camera("empty", {"kind": "images", "folder": str(house.folder / "empty"), "time_pattern": "%H%M%S"})
    house.camera("below", {"kind": "images", "folder": str(house.folder / "empty"), "time_pattern": "%H%M%S"})
    text = (house.manifests / "below.yaml").read_text()
    (house.manifests / "below.yaml").write_text(text.replace("height_m: 6", "height_m: -6"))
    (house.manifests / "bare.yaml").write_text("source:" + text.split("source:")[1])
    ask = ("ShowCalibration", "--camera")
    compose = ("GenerateClipArt", "--camera", "gate")
    wanted = "--ComposeShards-hidden-fraction"
    cases = {
        (*ask, "nope"): ("no camera 'nope'", "known cameras: bare, below, empty, gate, lost"),
        (*ask, "lost"): ("source.path: no such file", "none.mp4"),
        (*ask, "empty"): ("empty: no file matches '*.jpg'",),
        (*ask, "below"): ("calibration.height_m: must be positive, got -6",),
        (*ask, "bare"): ("bare.yaml: calibration: missing", "docs/calibration.md"),
        (*ask, "gate", "--MedianBackground-max-frames", "x"): ("[MedianBackground] max_frames: expected",),
        (*compose, wanted, "0-10: 0.5"): ("hidden_fraction of all categories: expected shares that sum to 1",),
        (*compose, wanted, "0-100: 1; lorry 0-10: 1"): ("expected a category of person, vehicle, got 'lorry'",),
        (*compose, "--variant", "a/b"): ("--variant: expected a name of a-z, 0-9, _ and - only", "got 'a/b'"),
        (*compose, "--ComposeShards-occlusion-share", "0.4"): (
            "--ComposeShards-occlusion-share is no more; say --ComposeShards-hidden-fraction",
        ),
        ("ShowCalibratio",): ("No task ShowCalibratio. Did you mean",),
        ("ShowCalibration",): ("--camera is missing",),
    }
    with ThreadPoolExecutor(4) as pool:
        for result, expected in zip(pool.map(lambda line: house.luigi(*line), cases), cases.values(), strict=True):
            refused(result, *expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[MedianBackground]\nmax_frame = 3\n", "[MedianBackground] has no key 'max_frame'; did you mean max_frames?"),
        (
            "[MedianBackgrund]\nmax_frames = 3\n",
            "no task reads section [MedianBackgrund]; did you mean MedianBackground?",
        ),
    ],
)
def test_what_no_task_knows_in_luigi_cfg_is_an_error(house, text, message):
    house.video()
    settings = house.folder / "mine.cfg"
    settings.write_text(text)
    refused(house.luigi("ShowCalibration", "--camera", "gate", LUIGI_CONFIG_PATH=str(settings)), "mine.cfg", message)


def test_the_users_luigi_cfg_overrides_the_repositorys(house):
    house.video()
    (house.folder / "luigi.cfg").write_text("[walt3d]\ncpus = many\n")
    refused(house.luigi("MedianBackground", "--camera", "gate"), "many")


def test_a_cameras_settings_come_before_luigi_cfg_and_after_the_command_line(house):
    house.video(settings={"MedianBackground": {"max_frames": 7}})
    (house.folder / "luigi.cfg").write_text("[MedianBackground]\nmax_frames = 5\n")

    def used():
        record = json.loads((house.data / "gate/.stages/MedianBackground.json").read_text())
        return record["made_of"]["MedianBackground"]["settings"]["max_frames"]

    assert house.luigi("ShowCalibration", "--camera", "gate")[0] == 0 and used() == 7
    asked = ("ShowCalibration", "--camera", "gate", "--MedianBackground-max-frames", "9")
    refused(house.luigi(*asked), "MedianBackground max_frames: found 7, asked for 9", "--MedianBackground-redo")
    assert used() == 7
    assert house.luigi(*asked, "--MedianBackground-redo")[0] == 0 and used() == 9
    refused(house.luigi("ShowCalibration", "--camera", "gate"), "found 9, asked for 7", "gate.yaml")
    assert house.luigi("MedianBackground", "--camera", "gate", "--max-frames", "9")[0] == 0 and used() == 9
    house.video(settings={"MedianBackgrund": {"max_frames": 7}})
    refused(house.luigi("IngestFrames", "--camera", "gate"), "settings.MedianBackgrund: no such task")


def test_a_truncated_video_fails_unless_allowed(house):
    path = house.video(count=120)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    refused(house.luigi("IngestFrames", "--camera", "gate"), "gate.avi", "cannot be read", "max_unreadable_fraction")
    code, _, lines = house.luigi("IngestFrames", "--camera", "gate", "--max-unreadable-fraction", "0.6")
    assert code == 0, lines
    assert any("left out" in line for line in lines)


@pytest.mark.parametrize("way", ["--max-unreadable-share", "luigi.cfg", "manifest"])
def test_a_settings_old_name_is_read_with_one_line_that_names_the_new_one(house, way):
    settings = {"settings": {"IngestFrames": {"max_unreadable_share": 0.6}}} if way == "manifest" else {}
    path = house.video(count=120, **settings)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    (house.folder / "mine.cfg").write_text("[IngestFrames]\nmax_unreadable_share = 0.6\n")
    arguments = ["IngestFrames", "--camera", "gate"]
    environment = {"LUIGI_CONFIG_PATH": str(house.folder / "mine.cfg")} if way == "luigi.cfg" else {}
    code, _, lines = house.luigi(*arguments, *([way, "0.6"] if way[0] == "-" else []), **environment)
    assert code == 0, lines
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    old, new = warning.replace("-", "_").split("is now called")
    assert "max_unreadable_share" in old and "max_unreadable_fraction" in new
    # What is finished under one name is finished under the other, and the new name comes first.
    manifest = house.manifests / "gate.yaml"
    manifest.write_text(manifest.read_text().replace("max_unreadable_share", "max_unreadable_fraction"))
    before = files(house.data)
    code, _, lines = house.luigi(*arguments, "--max-unreadable-fraction", "0.6", **environment)
    assert (code, [line for line in lines if "warning" in line]) == (0, [])
    assert files(house.data) == before


def test_one_corrupt_jpeg_among_many_is_skipped(house):
    folder = house.folder / "images"
    for n in range(30):
        write_jpeg(folder / f"{120000 + n}.jpg", n, (96, 128))
    broken = folder / "120007.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    house.camera("gate", {"kind": "images", "folder": str(folder), "time_pattern": "%H%M%S"})
    code, _, lines = house.luigi("MedianBackground", "--camera", "gate", "--cpus", "1", engine="process")
    assert code == 0, lines
    assert any("30 frames, 1 left out (1: 120007.jpg: corrupt JPEG" in line for line in lines)
    statuses = pq.read_table(house.data / "gate/frames/index.parquet")["status"].to_pylist()
    assert [i for i, status in enumerate(statuses) if status != "ok"] == [7]
    assert statuses[7].startswith("120007.jpg: corrupt JPEG")


def noisy_camera(house, count=7, size=160):
    """Images whose background does not compress."""
    import simplejpeg

    folder = house.folder / "noise"
    folder.mkdir()
    ground = np.random.default_rng(0).integers(0, 240, (size, size, 3), np.uint8)
    for n in range(count):
        image = ground + np.random.default_rng(n).integers(0, 16, ground.shape, np.uint8)
        (folder / f"{120000 + n}.jpg").write_bytes(simplejpeg.encode_jpeg(image, 95, "BGR", "444"))
    house.camera("gate", {"kind": "images", "folder": str(folder), "time_pattern": "%H%M%S"})


@contextmanager
def mounted(place, *arguments):
    """A mount for the time of a test; skips where this process may not mount."""
    place.mkdir(exist_ok=True)
    if shutil.which("mount") is None or os.getuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount refused: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_loses_nothing(house):
    noisy_camera(house)
    with mounted(house.data, "-t", "tmpfs", "-o", "size=48k", "tmpfs"):
        refused(house.luigi("MedianBackground", "--camera", "gate"), "No space left on device")
        index = (house.data / "gate/frames/index.parquet").read_bytes()
        assert not list((house.data / "gate/median").glob("*.png"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(house.data)], check=True)
        code, _, lines = house.luigi("MedianBackground", "--camera", "gate")
        assert code == 0, lines
        assert (house.data / "gate/frames/index.parquet").read_bytes() == index
        assert sorted(p.name for p in (house.data / "gate/median").iterdir()) == [
            "h12.json",
            "h12.png",
            "index.parquet",
        ]


def test_a_read_only_data_root_is_named(house):
    noisy_camera(house)
    with mounted(house.data, "-t", "tmpfs", "-o", "ro", "tmpfs"):
        refused(house.luigi("IngestFrames", "--camera", "gate"), "Read-only file system", "--data-root")


def test_a_killed_run_ends_in_the_same_bytes(house):
    house.video(count=200)
    undisturbed, line = house.folder / "undisturbed", ("ShowCalibration", "--camera", "gate")
    assert house.luigi(*line, data=undisturbed)[0] == 0
    for wait_for in ("IngestFrames", "MedianBackground"):
        running = subprocess.Popen(
            house.command(*line, engine="process"), cwd=house.folder, env=clean_environment(), stderr=subprocess.DEVNULL
        )
        until((house.data / f"gate/.stages/{wait_for}.json").exists)
        running.send_signal(signal.SIGKILL)
        running.wait()
    code, _, lines = house.luigi("ShowCalibration", "--camera", "gate")
    assert code == 0, lines
    assert files(house.data) == files(undisturbed)


def test_a_named_scheduler_shows_the_stages_with_their_messages(house):
    house.video()
    with luigid(house.folder) as address:
        code, _, lines = house.luigi("MedianBackground", "--camera", "gate", "--scheduler-url", f"http://{address}")
        assert code == 0, lines
        assert house.luigi("ShowCalibration", "--camera", "gate", WALT3D_SCHEDULER=address)[0] == 0
        done = _ask(address, "task_list", status="DONE", upstream_status="")
        shown = {task["name"]: task for task in done.values()}
        assert set(shown) == {"IngestFrames", "MedianBackground", "ShowCalibration"}
        assert shown["IngestFrames"]["status_message"] == "40 frames"
        assert shown["IngestFrames"]["progress_percentage"] == 100
        last = next(key for key, task in done.items() if task["name"] == "ShowCalibration")
        assert set(_ask(address, "dep_graph", task_id=last)) == set(done)


def _ask(address, method, **arguments):
    """What luigid's page asks for its lists and graphs."""
    query = urllib.parse.urlencode({"data": json.dumps(arguments)})
    with urllib.request.urlopen(f"http://{address}/api/{method}?{query}") as answer:
        return json.load(answer)["response"]
