"""The `calibration` of a manifest: any form people have, one canonical form behind them, checked when it is read."""

from data_manifest.calibration.check import checked
from data_manifest.calibration.form import Form
from data_manifest.calibration.forms import EXPECTED, FORMS, Calibration, tag_of

__all__ = ["EXPECTED", "FORMS", "Calibration", "Form", "checked", "tag_of"]
