"""Downloads from a real server on this machine, and what is refused about them."""

import hashlib
import http.server
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.mm.digests import check_record, published_prefix, record_of
from models.mm.weights import DETECTORS, POSES, fetch, zoo_file, zoo_url

CONTENT = bytes(range(256)) * 8192  # 2 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"tiny_20250101-{DIGEST[:8]}.pth"


class Server(http.server.BaseHTTPRequestHandler):
    """The file under any folder; /moved sends on to another scheme, /short ends early, /other is another file."""

    def do_GET(self):
        self.server.asked.append(self.path)
        folder = self.path.split("/")[1]
        if folder == "moved":
            self.send_response(302)
            self.send_header("Location", f"ftp://127.0.0.1/{NAME}")
            self.end_headers()
        elif folder == "gone":
            self.send_error(404)
        else:
            body = CONTENT[::-1] if folder == "other" else CONTENT
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: 1000 if folder == "short" else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_file_is_downloaded_once_and_checked_each_time(server, tmp_path):
    seen, url = [], f"{server.url}/zoo/{NAME}"
    path, digest = fetch(url, tmp_path / "weights", lambda done, total: seen.append((done, total)), ("http",))
    assert path == tmp_path / "weights" / NAME and path.read_bytes() == CONTENT and digest == DIGEST
    assert record_of(path).read_text() == f"{DIGEST}  {NAME}\n"
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert fetch(url, tmp_path / "weights", schemes=("http",)) == (path, DIGEST)
    assert server.asked == [f"/zoo/{NAME}"]
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"{NAME}: SHA-256 [0-9a-f]{{64}}, its record .* says {DIGEST}"):
        fetch(url, tmp_path / "weights", schemes=("http",))


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("gone", r"cannot download \S+ \(Not Found\)"),
        ("short", r"cannot download \S+ \(.*1000"),
        ("moved", r"cannot download \S+ \(ftp://127\.0\.0\.1/\S+: expected http\)"),
        ("other", rf"is not the published file: its SHA-256 is [0-9a-f]{{64}}, its name says {DIGEST[:8]}\.\.\."),
    ],
)
def test_what_cannot_be_had_leaves_nothing_behind(server, tmp_path, folder, message):
    with pytest.raises(ValueError, match=message) as raised:
        fetch(f"{server.url}/{folder}/{NAME}", tmp_path, schemes=("http",))
    assert "\n" not in str(raised.value) and not list(tmp_path.iterdir())


def test_offline_the_url_and_the_place_are_told(tmp_path):
    url = f"http://127.0.0.1:9/zoo/{NAME}"
    with pytest.raises(ValueError, match="Connection refused") as raised:
        fetch(url, tmp_path, schemes=("http",))
    assert url in str(raised.value) and f"put it at {tmp_path / NAME}" in str(raised.value)


def test_only_https_by_default(server, tmp_path):
    with pytest.raises(ValueError, match=r"expected https"):
        fetch(f"{server.url}/zoo/{NAME}", tmp_path)
    assert not server.asked


def test_a_file_put_there_by_hand_is_checked_and_recorded(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    assert fetch(f"https://nowhere.invalid/{NAME}", tmp_path) == (path, DIGEST)
    check_record(path)
    other = tmp_path / "x-00000000.pth"
    other.write_bytes(CONTENT)
    with pytest.raises(ValueError, match=r"x-00000000\.pth; remove it: it is not the published file"):
        fetch("https://nowhere.invalid/x-00000000.pth", tmp_path)


def test_every_file_of_the_table_says_its_digest():
    for name in DETECTORS + POSES:
        url, file = zoo_url(name), zoo_file(name, Path("weights"))
        assert url.startswith("https://") and file.parent == Path("weights") and len(published_prefix(file.name)) == 8


@given(st.text("0123456789abcdef", min_size=8, max_size=8), st.sampled_from(["", "_20230504"]))
def test_digits_are_found_before_the_day_as_after_it(digits, day):
    assert published_prefix(f"rtmpose-m_420e-256x192-{digits}{day}.pth") == digits


@pytest.mark.parametrize("name", ["a.pth", "a-12345.pth", "a-ABCDEF01.pth", "a-deadbeef.zip", "a_deadbeef.pth"])
def test_a_name_without_digits_is_refused(name):
    with pytest.raises(ValueError, match="expected a name that ends in eight digits"):
        published_prefix(name)
