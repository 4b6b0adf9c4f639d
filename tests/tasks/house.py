"""A camera of tiny footage, and the luigi command as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from footage import write_video

CALIBRATION = {"focal_px": 120, "tilt_deg": 25, "roll_deg": 0, "height_m": 6}


class House:
    """Manifests, data and footage below one folder."""

    def __init__(self, folder):
        self.folder, self.manifests, self.data = folder, folder / "cameras", folder / "data"
        self.manifests.mkdir()

    def camera(self, camera_id, source, **more):
        """Write a manifest."""
        content = {"source": {"time_zone": "UTC", **source}, "calibration": CALIBRATION} | more
        (self.manifests / f"{camera_id}.yaml").write_text(yaml.safe_dump(content))

    def video(self, camera_id="gate", count=40, **more):
        """A camera whose recording is a video."""
        path = write_video(self.folder / f"{camera_id}.avi", count, size_hw=(96, 128))
        self.camera(camera_id, {"kind": "video", "path": str(path), "start": "2025-06-03T07:59:58"}, **more)
        return path

    def command(self, *arguments, data=None, engine="serial"):
        """The luigi line for this house."""
        places = ["--walt3d-engine", engine, "--manifests", str(self.manifests), "--data-root", str(data or self.data)]
        return [str(Path(sys.executable).parent / "luigi"), "--module", "tasks", *arguments, *places]

    def package(self, name, group, attribute, source):
        """Install a package of one module beside the house; the environment in which it is found."""
        toys = self.folder / "packages"
        about = toys / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (toys / f"{name}.py").write_text(source)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}:{attribute}\n")
        return {"PYTHONPATH": os.pathsep.join([str(toys), *filter(None, [os.environ.get("PYTHONPATH")])])}

    def luigi(self, *arguments, data=None, engine="serial", **environment):
        """Run it from an unrelated folder; (exit code, stdout, lines of stderr)."""
        done = subprocess.run(
            self.command(*arguments, data=data, engine=engine),
            cwd=self.folder,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return done.returncode, done.stdout, done.stderr.splitlines()

    def of_data(self, *arguments):
        """A luigi line that asks no camera's manifest; (exit code, stdout, lines of stderr)."""
        line = [arg for arg in self.command(*arguments) if arg not in ("--manifests", str(self.manifests))]
        done = subprocess.run(
            line, cwd=self.folder, env=clean_environment(), capture_output=True, text=True, timeout=600
        )
        return done.returncode, done.stdout, done.stderr.splitlines()


def clean_environment():
    """The environment without what would change a run."""
    dropped = ("WALT3D_", "LUIGI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
