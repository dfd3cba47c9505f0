"""ADBC's PostgreSQL driver: batches as they come into pyarrow's writer. Arguments: host, port, output."""

import sys

import adbc_driver_postgresql.dbapi
import pyarrow.parquet

host, port, output = sys.argv[1:]
with adbc_driver_postgresql.dbapi.connect(f"postgresql://founder@{host}:{port}/bench") as con:
    with con.cursor() as cursor:
        cursor.execute("SELECT * FROM payments")
        batches = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(
            output, batches.schema, compression="zstd", compression_level=1
        ) as writer:
            for batch in batches:
                writer.write_batch(batch)
