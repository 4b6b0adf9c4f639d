"""For the Hub and for who finds data by their description: the shards parted by split, with a card or Croissant."""

from pipeline.export.hub import croissant, huggingface

FORMAT = (huggingface.FORMAT, croissant.FORMAT)
