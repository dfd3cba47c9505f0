-- 供数据库管理员审阅后执行：开启变更跟踪，增量抽取可得到插入、更新与删除。
-- For a DBA to review and run: change tracking, by which increments see inserts, updates and deletes.
-- 保留期要长于两次抽取的最长间隔（节假日！）/ keep changes for longer than the longest time between two extracts (holidays!).
ALTER DATABASE LEGACY_DATABASE SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 14 DAYS, AUTO_CLEANUP = ON);
GO
-- 每张要跟踪的表（必须有主键）/ every table to follow (it needs a primary key)
ALTER TABLE dbo.GRJBXX ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF);
-- …
GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO qianyi;
-- 快照隔离与变更跟踪合用才能得到一致的增量 / a consistent increment needs snapshot isolation, too: 02-snapshot-isolation.sql
