"""Set every option of the engine's readers, so that none of them guesses.

``tests/measure/test_readers.py`` asks the engine which options there are; one that is not named here fails it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.contract.sql import literal
from gates.schema.fields import Plain

LONGEST = 32 * 2**20  # bytes of a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A table function of DuckDB's.

    ``fixed`` are options with their values, ``given`` those that are set for each table, ``left`` those that
    stay unsaid, each with the reason.
    """

    function: str
    fixed: Mapping[str, Plain]
    given: tuple[str, ...]
    left: Mapping[str, str]

    def call(self, files: Sequence[str], **given: str) -> str:
        """Write SQL that reads files by their literal paths; values in ``given`` are SQL."""
        unknown = given.keys() - set(self.given)
        assert not unknown, unknown  # noqa: S101 -- a mistake of ours
        options = {name: literal(value) for name, value in self.fixed.items()} | given
        told = "".join(f", {name} = {value}" for name, value in options.items())
        return f"{self.function}([{', '.join(map(literal, files))}]{told})"


_FILES: dict[str, Plain] = {  # what a path says is no data
    "filename": False,
    "file_row_number": False,
    "hive_partitioning": False,
    "hive_types_autocast": False,
    "allow_empty": False,
}
_FILES_LEFT = {
    "hive_types": "there are no partitions",
    "schema": "names columns by their ids, which these files don't have",
    "column_statistics": "comes from a catalog, which does not exist here",
}
_CSV_NAMES = dict.fromkeys(("sep", "separator", "delimiter"), "another name of delim") | {
    "null": "another name of nullstr",
    "maximum_line_size": "another name of max_line_size",
}
_CSV_TYPES = dict.fromkeys(
    ("column_types", "dtypes", "types", "names", "column_names", "auto_type_candidates"), "columns says it"
)
_DATES = dict.fromkeys(
    ("date_format", "dateformat", "timestamp_format", "timestampformat"), "nothing is read as a date: columns are text"
)
_REJECTS = dict.fromkeys(
    ("rejects_table", "rejects_scan", "rejects_limit", "rejects_line_size_limit"), "no row is rejected in silence"
)

CSV = Reader(
    function="read_csv",
    fixed=_FILES
    | {
        "union_by_name": False,  # headers have been compared
        "auto_detect": False,
        "sample_size": 1,
        "files_to_sniff": 1,
        "header": True,
        "all_varchar": True,
        "quote": '"',
        "escape": '"',
        "comment": "",
        "skip": 0,
        "nullstr": "",
        "allow_quoted_nulls": True,
        "null_padding": False,
        "strict_mode": True,
        "ignore_errors": False,
        "store_rejects": False,
        "normalize_names": False,
        "decimal_separator": ".",
        "thousands": "",
        "encoding": "utf-8",
        "compression": "none",
        "parallel": True,
        "max_line_size": LONGEST,
        "buffer_size": LONGEST,  # else room for sixteen of the longest rows is taken
    },
    given=("delim", "columns"),
    left=_FILES_LEFT
    | _CSV_NAMES
    | _CSV_TYPES
    | _DATES
    | _REJECTS
    | {
        "new_line": "the engine sees which of three it is; where they are mixed it says so",
        "force_not_null": "an empty cell is a null",
    },
)

_JSON: dict[str, Plain] = {
    "union_by_name": False,  # columns are named
    "format": "newline_delimited",
    "maximum_object_size": LONGEST,
    "ignore_errors": False,
    "compression": "none",
}
JSON = Reader(
    function="read_json",
    fixed=_FILES
    | _JSON
    | {
        "records": True,
        "auto_detect": False,
        "geojson": False,
        "sample_size": 1,
        "maximum_sample_files": 1,
        "maximum_depth": -1,
        "field_appearance_threshold": 0,
        "map_inference_threshold": -1,
        "convert_strings_to_integers": False,
    },
    given=("columns",),
    left=_FILES_LEFT | _DATES | {"array": "format says it"},
)
JSON_OBJECTS = Reader(function="read_json_objects", fixed=_FILES | _JSON, given=(), left=_FILES_LEFT)

PARQUET = Reader(
    function="read_parquet",
    fixed=_FILES
    | {
        "binary_as_string": False,
        "can_have_nan": True,  # a file's minimum and maximum leave NaN out
        "utf8_validation": "strict",
        "int96_as": "timestamp",
    },
    given=("union_by_name",),
    left=_FILES_LEFT
    | {
        "bound_schema": "is the engine's own",
        "compression": "the file says it",
        "parquet_version": "the file says it",
        "encryption_config": "encrypted files are refused",
        "debug_use_openssl": "encrypted files are refused",
        "explicit_cardinality": "the file says it",
        "prefetch_strategy": "says how fast, not what",
    },
)
READERS = (CSV, JSON, JSON_OBJECTS, PARQUET)
