"""DuckDB with its postgres extension: COPY (FROM table) TO parquet. Arguments: extension file, host, port, output."""

import sys

import duckdb

extension, host, port, output = sys.argv[1:]
con = duckdb.connect()
con.execute(f"LOAD '{extension}'")
con.execute(f"ATTACH 'host={host} port={port} user=founder dbname=bench' AS pg (TYPE postgres, READ_ONLY)")
con.execute(f"COPY (FROM pg.public.payments) TO '{output}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
