import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core import storage, tables


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_column_says_what_it_is_and_where_it_comes_from(name):
    for field in tables.TABLES[name]:
        about = {k.decode(): v.decode() for k, v in field.metadata.items()}
        assert about["meaning"] and about["source"], field.name
        assert about.get("shape") or not str(field.type).startswith("list") or field.name.endswith("ids"), field.name


def test_metadata_survives_a_file_and_datasets_will_show_the_image(tmp_path):
    storage.write_table(tmp_path / "part.parquet", tables.IMAGES.empty_table())
    schema = pq.read_schema(tmp_path / "part.parquet")
    assert schema.field("K").metadata[b"shape"] == b"3,3"
    assert json.loads(schema.metadata[b"huggingface"])["info"]["features"]["image"] == {"_type": "Image"}


def test_rows_with_a_wrong_key_are_refused():
    with pytest.raises(ValueError, match=r"missing \['mask_rle'\], unknown \['mask'\]"):
        row = dict.fromkeys(tables.DETECTIONS.names)
        row["mask"] = row.pop("mask_rle")
        tables.to_table([row], tables.DETECTIONS)


def test_parts_are_read_in_order_and_hidden_ones_are_not_seen(tmp_path):
    for number in (1, 0):
        row = dict.fromkeys(tables.DETECTIONS.names) | {"detection_id": number}
        storage.write_table(tmp_path / f"part-{number:05d}.parquet", tables.to_table([row], tables.DETECTIONS))
    (tmp_path / ".part-00002.parquet.part").write_bytes(b"half")
    assert storage.read_parts(tmp_path)["detection_id"].to_pylist() == [0, 1]
    assert pd.read_parquet(tmp_path)["detection_id"].tolist() == [0, 1]
    with pytest.raises(FileNotFoundError, match=r"no \*.parquet there"):
        storage.read_parts(tmp_path / "nowhere")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "report.json"
    storage.write_json(path, {"b": 1, "a": 2})
    with pytest.raises(RuntimeError), storage.atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 2, "b": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_list_column_is_a_matrix_where_every_row_has_its_numbers():
    column = pa.chunked_array([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]], pa.list_(pa.float32()))
    assert tables.matrix(column, 2).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert tables.matrix(column[:0], 2).shape == (0, 2)
    for wrong in ([[1.0, 2.0], None], [[1.0], [2.0, 3.0, 4.0]]):
        with pytest.raises(ValueError, match="expected 2 numbers in each of 2 rows"):
            tables.matrix(pa.chunked_array([wrong], pa.list_(pa.float32())), 2)
