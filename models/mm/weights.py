"""Published weights of the model zoos: which file belongs to a config, and how it is downloaded and checked."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from models.mm.configs import published_url
from models.mm.digests import check_record, published_prefix, record_of, write_record
from pipeline.core.storage import atomic_path, sha256_of

DETECTORS = ("rtmdet-ins_tiny_8xb32-300e_coco", "mask-rcnn_swin-t-p4-w7_fpn_1x_coco")
POSES = ("rtmpose-s_8xb256-420e_body8-256x192", "rtmpose-m_8xb256-420e_body8-256x192")
_TIMEOUT_S = 30
_CHUNK = 1 << 20
Progress = Callable[[int, int], None]  # bytes that are there, of how many


def zoo_url(name: str) -> str:
    """Where the weights of a config of mmdet's or mmpose's zoo are published. Raises ValueError for an unknown name."""
    return published_url(name, "mmpose" if "pose" in name else "mmdet")


def zoo_file(name: str, folder: Path) -> Path:
    """Where the published weights of a config lie once they are downloaded to a folder."""
    return folder / PurePosixPath(urlsplit(zoo_url(name)).path).name


def fetch(
    url: str, folder: Path, progress: Progress | None = None, schemes: tuple[str, ...] = ("https",)
) -> tuple[Path, str]:
    """The file of a URL in a folder and its SHA-256, downloaded unless it is there; a record of it lies beside it.

    Raises ValueError where it cannot be had, or is not the file that the digits in its name or the record tell.
    """
    path = folder / PurePosixPath(urlsplit(url).path).name
    prefix = published_prefix(path.name)
    if not path.is_file():
        try:
            with atomic_path(path) as part:
                _download(url, part, progress, schemes)
                _check_prefix(sha256_of(part), prefix, url)
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(
                f"cannot download {url} ({_why(error)}); fetch it elsewhere, put it at {path} and run this again"
            ) from None
    check_record(path)
    digest = sha256_of(path)
    _check_prefix(digest, prefix, f"{path}; remove it: it")
    if not record_of(path).is_file():
        write_record(path, digest)
    return path, digest


def _check_prefix(digest: str, prefix: str, what: str) -> None:
    if not digest.startswith(prefix):
        raise ValueError(f"{what} is not the published file: its SHA-256 is {digest}, its name says {prefix}...")


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error or type(error).__name__).split())


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the allowed schemes only."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request of the new place, or URLError."""
        _check_scheme(newurl, self.schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    if urlsplit(url).scheme not in schemes:
        raise urllib.error.URLError(f"{url}: expected {' or '.join(schemes)}")


def _download(url: str, part: Path, progress: Progress | None, schemes: tuple[str, ...]) -> None:
    # Not torch.hub.download_url_to_file: it follows a redirect to any scheme, and has no time limit.
    _check_scheme(url, schemes)
    opener = urllib.request.build_opener(_SameSchemes(schemes))
    with opener.open(url, timeout=_TIMEOUT_S) as answer, part.open("wb") as out:
        total, done = int(answer.headers.get("Content-Length") or 0), 0
        if total > shutil.disk_usage(part.parent).free:
            raise OSError(f"{total / 1e6:.0f} MB do not fit on the disk")
        while chunk := answer.read(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, max(total, done))
    if total and done != total:
        raise OSError(f"it ended after {done} of {total} bytes")
