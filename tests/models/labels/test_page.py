"""The labelling page over a real socket: what it records, and whom it refuses."""

import json
import shutil
import socket
import struct

import pytest
from page_visitor import JSON, Visitor
from waiting import PATIENCE_S

from models.labels.occlusion_csv import csv_of, read_csv
from models.labels.page import Session, page
from models.labels.queue import Detections
from pipeline.core.local_page import HOST, start

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def at(number):
    """Where detection `number` is."""
    return (number, 10.0, 20.5, 30.0, 40.0)


class Labeller(Visitor):
    """Somebody who labels the detections of a queue."""

    def __init__(self, folder, queue=(7, 8, 9)):
        out = folder / "labels.csv"
        super().__init__(Session("gate", {i: at(i) for i in queue}, lambda i: b"jpeg %d" % i, out), out)

    def label(self, detection_id, label):
        return self.say("/label", {"detection_id": detection_id, "label": label})


@pytest.fixture
def visitor(tmp_path):
    one = Labeller(tmp_path)
    yield one
    one.leave()


def test_every_key_is_on_disk_before_the_next_crop_is_shown(visitor):
    assert json.loads(visitor.ask("GET", "/state")[1]) == {"detection_id": 7, "done": 0, "of": 3}
    code, state = visitor.label(7, "truncated")
    assert (code, json.loads(state)["detection_id"]) == (200, 8)
    assert visitor.out.read_text() == "frame_id,x,y,w,h,label\n7,10,20.5,30,40,truncated\n"
    visitor.label(8, None)
    code, state = visitor.label(9, "occluded")
    assert json.loads(state) == {"detection_id": None, "done": 2, "of": 3}
    assert read_csv(visitor.out) == {at(7): "truncated", at(9): "occluded"}
    assert [path.name for path in visitor.out.parent.glob("[!.]*")] == ["labels.csv"]


def test_the_last_label_is_taken_back(visitor):
    visitor.label(7, "truncated")
    visitor.label(8, "occluded")
    code, state = visitor.ask("POST", "/undo", "{}", **JSON)
    assert (code, json.loads(state)["detection_id"]) == (200, 8)
    assert read_csv(visitor.out) == {at(7): "truncated"}


def test_a_new_session_goes_on_and_keeps_labels_of_detections_it_does_not_ask_for(tmp_path):
    (tmp_path / "labels.csv").write_bytes(csv_of({at(7): "unoccluded", at(55): "occluded"}))
    one = Labeller(tmp_path)
    try:
        assert json.loads(one.ask("GET", "/state")[1]) == {"detection_id": 8, "done": 2, "of": 4}
        one.ask("POST", "/undo", "{}", **JSON)
        one.ask("POST", "/undo", "{}", **JSON)
        assert read_csv(one.out) == {at(55): "occluded"}
    finally:
        one.leave()


def test_two_pages_of_one_camera_lose_no_label_and_the_last_word_is_told(tmp_path):
    one, other = Labeller(tmp_path), Labeller(tmp_path)
    try:
        assert one.label(7, "truncated")[0] == other.label(8, "occluded")[0] == one.label(9, "unoccluded")[0] == 200
        code, state = other.label(7, "unoccluded")
        assert (code, json.loads(state)["note"]) == (200, "detection 7 was truncated in the file and is unoccluded now")
        assert read_csv(one.out) == {at(8): "occluded", at(9): "unoccluded", at(7): "unoccluded"}
        # An edit by hand between two answers stays.
        one.out.write_bytes(csv_of(read_csv(one.out) | {at(55): "no_object"}))
        one.ask("POST", "/undo", "{}", **JSON)
        state = json.loads(one.ask("POST", "/undo", "{}", **JSON)[1])
        assert state["note"] == "it is unoccluded in the file since, which stays"
        assert read_csv(one.out) == {at(8): "occluded", at(7): "unoccluded", at(55): "no_object"}
    finally:
        for page_ in (one, other):
            page_.leave()


def test_an_answer_that_cannot_be_recorded_is_not_acknowledged(visitor):
    visitor.label(7, "truncated")
    spoilt = visitor.out.read_text() + "by,hand\n"
    visitor.out.write_text(spoilt)
    assert visitor.label(8, "occluded")[0] == 500
    assert visitor.out.read_text() == spoilt


def test_a_client_that_hangs_up_is_no_error(visitor, capfd):
    for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /label HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"):
        with socket.create_connection(visitor.server.server_address[:2]) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(said)
    assert visitor.label(7, "truncated")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_box_that_is_labelled_again_has_its_last_label(tmp_path, capsys):
    path = tmp_path / "labels.csv"
    path.write_text("frame_id,x,y,w,h,label\n1,2,3,4,5,truncated\n1,2,3,4,5,occluded\n")
    assert read_csv(path) == {(1, 2.0, 3.0, 4.0, 5.0): "occluded"}
    assert "row 3 labels a box again, as occluded: the last word stands" in capsys.readouterr().err


def test_a_spoilt_label_file_is_told_before_anything_is_overwritten(tmp_path):
    (tmp_path / "labels.csv").write_bytes(csv_of({at(7): "hmm"}))
    with pytest.raises(ValueError, match=r"labels\.csv:2: unknown label 'hmm'"):
        Labeller(tmp_path)
    assert (tmp_path / "labels.csv").read_text().endswith(",hmm\n")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"detection_id": 7, "label": "../../etc"}, 400),
        ({"detection_id": 7, "label": ["occluded"]}, 400),
        ({"detection_id": 66, "label": "occluded"}, 400),
        ({"detection_id": True, "label": "occluded"}, 400),
        ({"detection_id": "7", "label": "occluded"}, 400),
        ({"label": "occluded"}, 400),
        ([], 400),
        ({"detection_id": 7, "label": "occluded", "more": "x" * 2000}, 413),
    ],
)
def test_what_is_no_label_changes_nothing(visitor, said, code):
    assert visitor.ask("POST", "/label", json.dumps(said), **JSON)[0] == code
    assert not visitor.out.exists()


def test_other_sites_and_other_names_of_this_machine_are_refused(visitor):
    body = json.dumps({"detection_id": 7, "label": "occluded"})
    assert visitor.server.server_address[0] == "127.0.0.1"
    assert visitor.ask("GET", "/", Host="evil.example")[0] == 403
    assert visitor.ask("POST", "/label", body, Origin="http://evil.example", **JSON)[0] == 403
    assert visitor.ask("POST", "/label", body, Origin="null", **JSON)[0] == 403
    assert visitor.ask("POST", "/label", body, Content_Type="text/plain")[0] == 415
    assert not visitor.out.exists()
    own = f"http://127.0.0.1:{visitor.server.server_port}"
    assert visitor.ask("POST", "/label", body, Origin=own, **JSON)[0] == 200


def test_only_the_page_and_pictures_that_are_asked_for_are_served(visitor):
    assert visitor.ask("GET", "/picture/8") == (200, b"jpeg 8")
    for path in ("/picture/66", "/picture/../labels.csv", "/labels.csv", "/../../etc/passwd", "/picture/"):
        assert visitor.ask("GET", path)[0] == 404


def test_a_cameras_name_is_text_on_the_page():
    text = page("<script>alert(1)</script>").decode()
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
    assert "occluded_by_static" in text and "@" not in text


def test_a_port_that_is_taken_is_one_clear_line(visitor, tmp_path):
    with pytest.raises(ValueError, match=r"port \d+: Address already in use; choose another with --port"):
        start(visitor.session, visitor.server.server_port)


def test_every_track_is_asked_for_once_before_any_is_twice(camera_dir):
    asked = Detections(camera_dir, 3, 20)
    numbers = list(asked.queue)
    assert len(numbers) == 20 and numbers == list(Detections(camera_dir, 3, 20).queue)
    assert {number % 10000 for number in numbers[:5]} == {1, 2, 3, 4, 5}
    blue = next(number for number in numbers if number % 10000 == 1)
    assert asked.queue[blue] == (blue // 10000, 20, 30, 24, 40)
    assert asked.picture(blue)[:2] == b"\xff\xd8"


def test_keys_label_in_a_real_browser(visitor):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the page is not tried in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox"])
        tab = browser.new_page()
        tab.set_default_timeout(1000 * PATIENCE_S)
        tab.goto(f"http://{HOST}:{visitor.server.server_port}/")
        tab.wait_for_function("document.getElementById('picture').src.endsWith('/picture/7')")
        # The crop that each key leads to; none at the end.
        for key, then in (("5", "/picture/8"), ("s", "/picture/9"), ("1", ""), ("u", "/picture/9")):
            tab.keyboard.press(key)
            tab.wait_for_function(
                "then => { const p = document.getElementById('picture');"
                " return then ? !p.hidden && p.src.endsWith(then) : p.hidden; }",
                arg=then,
            )
        browser.close()
    assert read_csv(visitor.out) == {at(7): "truncated"}
