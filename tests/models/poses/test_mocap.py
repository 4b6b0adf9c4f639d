import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.poses import read_mocap, sample_poses

# What AMASS stores of a body upright in its z-up world: SMPL's y onto z.
UPRIGHT = Rotation.from_euler("x", 90, degrees=True)


def write(path, theta, orientation, width=156):
    """Body poses (T, 24, 3) with orientations in the z-up world, in a file as AMASS has it."""
    poses = np.zeros((len(theta), width))
    poses[:, :66] = theta[:, :22].reshape(len(theta), 66)
    poses[:, :3] = orientation.as_rotvec()
    poses[:, 66:] = 0.3  # fingers, face: not read
    np.savez(path, poses=poses, trans=np.zeros((len(theta), 3)), betas=np.zeros(16), mocap_framerate=120.0)
    return path


@pytest.mark.parametrize("width", [72, 156, 165])
def test_the_body_is_read_and_hands_are_straight(tmp_path, width):
    theta, _ = sample_poses(np.random.default_rng(0), 6)
    theta[:, 22:] = 0
    found = read_mocap(write(tmp_path / "a.npz", theta, UPRIGHT * Rotation.from_rotvec(theta[:, 0]), width))
    assert found.dtype == np.float32 and found.shape == (6, 24, 3)
    assert np.allclose(found[:, 1:], theta[:, 1:], atol=1e-6)


@examples(25)
@given(st.floats(-180, 180), st.floats(-60, 60), st.floats(-60, 60))
def test_the_heading_is_taken_out_and_the_tilt_is_kept(tmp_path_factory, heading, about_x, about_z):
    tilt = np.radians([about_x, 0, about_z])
    turned = Rotation.from_euler("z", heading, degrees=True) * UPRIGHT * Rotation.from_rotvec(tilt)
    path = write(tmp_path_factory.mktemp("amass") / "a.npz", np.zeros((3, 24, 3)), turned)
    assert np.allclose(read_mocap(path)[:, 0], tilt, atol=1e-6)


def test_files_that_hold_no_poses_are_refused_in_one_line(tmp_path):
    good = np.zeros((2, 156))
    cases = {
        "expected an AMASS .npz with poses, it has none": {"trans": good},
        r"got \(2, 100\)": {"poses": np.zeros((2, 100))},
        r"got \(156,\)": {"poses": good[0]},
        r"got \(0, 156\)": {"poses": good[:0]},
        "got NaN or infinity": {"poses": good * np.nan},
        "expected numbers, got objects": {"poses": np.array([None, {}], object)},
        "<U1": {"poses": np.full((2, 72), "a")},
    }
    for message, arrays in cases.items():
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ValueError, match=message) as caught:
            read_mocap(tmp_path / "bad.npz")
        assert "\n" not in str(caught.value) and "bad.npz" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no numpy file", b"PK\x03\x04 truncated", b"\x80\x04K\x01."])
def test_other_files_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.npz: not an \.npz of plain arrays") as caught:
        read_mocap(tmp_path / "bad.npz")
    assert "\n" not in str(caught.value)


def test_an_array_alone_is_refused(tmp_path):
    np.save(tmp_path / "bad.npy", np.zeros((2, 156)))
    with pytest.raises(ValueError, match=r"bad\.npy: not an \.npz of plain arrays: a single array"):
        read_mocap(tmp_path / "bad.npy")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_mocap(tmp_path / "none.npz")
