"""For programs in which people look at labels and correct them."""

from pipeline.export.tools import cvat, label_studio

FORMAT = (cvat.FORMAT, label_studio.FORMAT)
