"""ConnectorX: two partitions over the key into Arrow, then pyarrow's writer. Arguments: host, port, output."""

import sys

import connectorx
import pyarrow.parquet

host, port, output = sys.argv[1:]
table = connectorx.read_sql(
    f"postgresql://founder@{host}:{port}/bench?sslmode=disable",
    "SELECT * FROM payments",
    return_type="arrow",
    protocol="binary",
    partition_on="lsh",
    partition_num=2,
)
pyarrow.parquet.write_table(table, output, compression="zstd", compression_level=1)
