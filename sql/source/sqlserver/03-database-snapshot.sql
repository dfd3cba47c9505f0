-- 供数据库管理员审阅后执行：建立数据库快照，多个读者看到同一时点。2016 SP1 之前仅企业版支持。
-- For a DBA to review and run: a database snapshot, which several readers see alike. Before 2016 SP1: Enterprise only.
-- 每个数据文件一行 NAME/FILENAME（sys.database_files 查逻辑名）/ one NAME/FILENAME for every data file (sys.database_files).
CREATE DATABASE LEGACY_DATABASE_20210531
  ON (NAME = LEGACY_DATABASE, FILENAME = N'D:\snapshots\LEGACY_DATABASE_20210531.ss')
  AS SNAPSHOT OF LEGACY_DATABASE;
GO
-- 配置：consistency = "database-snapshot"，database = "LEGACY_DATABASE_20210531"
-- configuration: consistency = "database-snapshot", database = "LEGACY_DATABASE_20210531"
-- 用完即删，快照会拖慢写入 / drop it when the extract is complete: it slows writers down.
-- DROP DATABASE LEGACY_DATABASE_20210531;
