"""Croissant 1.0: JSON-LD that says what is in the Parquet files, for search engines, Kaggle and `mlcroissant`.

`croissant.json` describes data/, which lies beside it: a record set a table, a field a column with its meaning, the
files by their checksums. `mlcroissant.Dataset("croissant.json").records("objects")` reads them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipeline.core.storage import read_schema, read_table, sha256_of, write_json
from pipeline.export.hub.huggingface import manifest_of
from pipeline.export.hub.parts import Parted, write_parts
from pipeline.export.registry import ExportJob, Format, Written

_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
_KEYS = {"images": "scene_id", "objects": None}


def write(job: ExportJob) -> Written:
    """data/ and croissant.json."""
    parts = write_parts(job)
    write_json(job.out / "croissant.json", _metadata(job, parts))
    rows = Counter[str]()
    for part in parts:
        rows[part.table] += part.rows
    return Written(f"{rows['images']} pictures and {rows['objects']} objects, described in croissant.json", "nothing")


def _metadata(job: ExportJob, parts: list[Parted]) -> dict[str, Any]:
    name = manifest_of(job.clipart).get("hash", "")
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{job.camera_id}_{job.mode}",
        "description": f"Composed scenes of {job.camera_id}, {job.mode}: cutouts of a stationary camera's own vehicles "
        "and people in true depth order, with amodal masks, keypoints, poses and sizes.",
        "datePublished": _date(parts),
        "version": "1.0.0",
        **({"identifier": name} if name else {}),
        "distribution": [one for table in _KEYS for one in _files(job, table, parts)],
        "recordSet": [_record_set(table, parts) for table in _KEYS],
    }  # fmt: skip


def _date(parts: list[Parted]) -> str:
    """The day of the latest pasted frame, so that the same shards give the same bytes."""
    column = [read_table(part.path, columns=["timestamp"])["timestamp"].to_pylist() for part in parts
              if part.table == "images"]  # fmt: skip
    latest = max((time for times in column for time in times if time), default=datetime(1970, 1, 1, tzinfo=UTC))
    return latest.date().isoformat()


def _files(job: ExportJob, table: str, parts: list[Parted]) -> list[dict[str, Any]]:
    """The set of a table's files, and each of them with its checksum."""
    listed = [
        {
            "@type": "cr:FileObject", "@id": path, "name": path.replace("/", "_"), "contentUrl": path,
            "contentSize": f"{part.path.stat().st_size} B", "encodingFormat": "application/x-parquet",
            "sha256": sha256_of(part.path),
        }
        for part in parts
        if part.table == table
        for path in [part.path.relative_to(job.out).as_posix()]
    ]  # fmt: skip
    files = {
        "@type": "cr:FileSet", "@id": f"{table}-files", "name": f"{table}-files",
        "encodingFormat": "application/x-parquet", "includes": f"data/{table}/*.parquet",
    }  # fmt: skip
    return [files, *listed]


def _record_set(table: str, parts: list[Parted]) -> dict[str, Any]:
    schema = read_schema(next(part.path for part in parts if part.table == table))
    key = _KEYS[table]
    return {
        "@type": "cr:RecordSet", "@id": table, "name": table, **({"key": {"@id": f"{table}/{key}"}} if key else {}),
        "field": [_field(table, one) for one in schema],
    }  # fmt: skip


def _field(table: str, column: pa.Field) -> dict[str, Any]:
    about = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    unit, shape = about.get("unit", ""), about.get("shape", "")
    more = "".join([f", shape {shape}" if shape else "", f", in {unit}" if unit else ""])
    picture = pa.types.is_struct(column.type)
    source: dict[str, Any] = {"fileSet": {"@id": f"{table}-files"}, "extract": {"column": column.name}}
    if picture:
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field", "@id": f"{table}/{column.name}", "name": column.name,
        "description": about.get("meaning", column.name) + more,
        "dataType": "sc:ImageObject" if picture else _data_type(column.type),
        **({"repeated": True} if pa.types.is_list(column.type) else {}), "source": source,
    }  # fmt: skip


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _data_type(kind.value_type)
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"


FORMAT = Format("croissant", write)
