"""Evaluate: a table of how well a network does on the samples that its training kept for validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import luigi

from models.contract import TrainOptions, load_object
from pipeline.core.storage import write_json
from readers.texts import expanded
from tasks.common.console import Report
from tasks.common.contents import digest
from tasks.common.stage import data_root_of
from tasks.learn.train import Learning, Train

RUN = "run"


class Evaluate(Learning, options=TrainOptions):
    """Measure what ships with a network, a file of weights, or the run of these options, which is trained first."""

    weights = luigi.Parameter(
        default="", description="file of weights, or `run` for the run of these options; else what ships, else the run"
    )
    device = luigi.Parameter(default="", description="cpu or cuda, else cuda where there is one", significant=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self._of_run:
            self._file()  # one that is not there is told before anything is rendered

    def requires(self) -> list[luigi.Task]:
        """The run, where it is to be measured, and its data."""
        return [*([self._run()] if self._of_run else []), *self.sources()]

    def output(self) -> luigi.LocalTarget:
        """The table's rows; beside the run's weights where it is the run's."""
        if self._of_run:
            return luigi.LocalTarget(str(self.folder / "evaluation.json"))
        path = self._file()
        name = f"{self.model}-{path.stem}-{digest(path)[:8]}.json"
        return luigi.LocalTarget(str(data_root_of(self.data_root) / "evaluations" / name))

    def complete(self) -> bool:
        """Never: the table is shown whenever it is asked for; data and runs are not made again."""
        return False

    def run(self) -> None:
        """Measure, print the table and write its rows."""
        import pandas as pd

        measure = load_object(self.spec.measure or "models.evaluate:measure")
        report = Report(self, f"Evaluate {self.model}", "samples")
        with self.reading():
            rows = measure(
                self.spec, self.chosen, self.given(), self.path, device=self.device or None, progress=report
            )  # fmt: skip
        out = Path(self.output().path)
        write_json(out, rows)
        report.close(f"{self.path} measured; rows in {out}")
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)

    @property
    def path(self) -> Path:
        """The weights."""
        return Path(self._run().output().path) if self._of_run else self._file()

    def _file(self) -> Path:
        path = expanded(self.weights, "--weights").resolve() if self.weights else self.spec.weights
        if path is None or not path.is_file():
            raise ValueError(f"{self.model}: --weights: {path}: no such file")
        return path

    @property
    def _of_run(self) -> bool:
        ships = self.spec.weights is not None and self.spec.weights.is_file()
        return self.weights == RUN or (not self.weights and not ships)

    def _run(self) -> Train:
        return self.clone(Train)
