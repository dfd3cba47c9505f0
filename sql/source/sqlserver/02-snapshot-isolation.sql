-- 供数据库管理员审阅后执行：允许快照隔离，使一个会话读到同一时点而不阻塞业务。
-- For a DBA to review and run: allow snapshot isolation, so that one session reads one point in time and blocks nobody.
-- 代价：tempdb 中的行版本；请预留空间 / cost: row versions in tempdb; leave room for the changes of one night.
-- 开启时等待现有事务结束，不踢人 / waits for open transactions to end, disconnects nobody.
ALTER DATABASE LEGACY_DATABASE SET ALLOW_SNAPSHOT_ISOLATION ON;
GO
-- 1 = ON
SELECT name, snapshot_isolation_state, snapshot_isolation_state_desc FROM sys.databases WHERE name = N'LEGACY_DATABASE';
