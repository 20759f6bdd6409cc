"""Which type Spark has for each of a Parquet file's."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds
from pyspark.sql import types as t


def type_of(kind: pa.DataType) -> t.DataType | None:
    """The type that Spark reads a Parquet column of an Arrow type as; `None` where it has none.

    Nanoseconds are read as numbers (`spark.sql.legacy.parquet.nanosAsLong`).
    """
    if kinds.is_dictionary(kind):
        return type_of(kind.value_type)
    if isinstance(kind, pa.UuidType):
        return t.BinaryType()
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        item = type_of(kind.value_type)
        return None if item is None else t.ArrayType(item)
    if kinds.is_map(kind):
        key, item = type_of(kind.key_type), type_of(kind.item_type)
        return None if key is None or item is None else t.MapType(key, item)
    if kinds.is_struct(kind):
        fields = [(field.name, type_of(field.type)) for field in kind.fields]
        held = [t.StructField(name, one) for name, one in fields if one is not None]
        return t.StructType(held) if len(held) == len(fields) else None
    if kinds.is_timestamp(kind):
        if kind.unit == "ns":
            return t.LongType()
        return t.TimestampNTZType() if kind.tz is None else t.TimestampType()
    if kinds.is_decimal128(kind):
        return t.DecimalType(kind.precision, kind.scale)
    return next((made for is_kind, made in _PLAIN_TYPES if is_kind(kind)), None)


_PLAIN_TYPES = (
    (kinds.is_boolean, t.BooleanType()),
    (kinds.is_int8, t.ByteType()),
    (kinds.is_int16, t.ShortType()),
    (kinds.is_uint8, t.ShortType()),
    (kinds.is_int32, t.IntegerType()),
    (kinds.is_uint16, t.IntegerType()),
    (kinds.is_int64, t.LongType()),
    (kinds.is_uint32, t.LongType()),
    (kinds.is_uint64, t.DecimalType(20, 0)),
    (kinds.is_float32, t.FloatType()),
    (kinds.is_float64, t.DoubleType()),
    (kinds.is_string, t.StringType()),
    (kinds.is_large_string, t.StringType()),
    (kinds.is_binary, t.BinaryType()),
    (kinds.is_large_binary, t.BinaryType()),
    (kinds.is_fixed_size_binary, t.BinaryType()),
    (kinds.is_date, t.DateType()),
)
