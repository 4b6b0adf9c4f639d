"""FetchWeights: published weights of mmdet's and mmpose's model zoos, downloaded once and checked every time."""

from __future__ import annotations

from pathlib import Path

import luigi

from models.mm.digests import check_record, record_of
from models.mm.weights import DETECTORS, POSES, fetch, zoo_file, zoo_url
from tasks.common.console import Report
from tasks.common.stage import data_root_of


def weights_folder(data_root: str) -> Path:
    """Where downloaded weights lie."""
    return data_root_of(data_root) / "weights"


class FetchWeights(luigi.Task):
    """Weights of configs that the zoos name, in <data root>/weights, each with a record of its SHA-256 beside it."""

    models = luigi.Parameter(
        default=",".join(DETECTORS + POSES), description="configs of mmdet and mmpose by their names, comma-separated"
    )
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    @property
    def names(self) -> list[str]:
        """The configs."""
        return [name.strip() for name in self.models.split(",") if name.strip()]

    def output(self) -> list[luigi.LocalTarget]:
        """The files."""
        folder = weights_folder(self.data_root)
        return [luigi.LocalTarget(str(zoo_file(name, folder))) for name in self.names]

    def complete(self) -> bool:
        """Every file is there, and is what its record says."""
        files = [Path(target.path) for target in self.output()]
        if not all(file.is_file() and record_of(file).is_file() for file in files):
            return False
        try:
            for file in files:
                check_record(file)
        except ValueError:
            return False
        return True

    def run(self) -> None:
        """Download what is not there; what cannot be had is told at the end, when the others are."""
        folder, problems = weights_folder(self.data_root), []
        for name in self.names:
            report = Report(self, f"FetchWeights {name}", "bytes")
            try:
                path, digest = fetch(zoo_url(name), folder, report)
                report.close(f"{path} sha256 {digest}")
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
