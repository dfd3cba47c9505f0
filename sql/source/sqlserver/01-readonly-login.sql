-- 供数据库管理员审阅后执行：为 qianyi 建立只读登录。qianyi 只读，从不写源库。
-- For a DBA to review and run: a read-only login for qianyi. Replace the names and the password.
--   sqlcmd -S SERVER -d LEGACY_DATABASE -i 01-readonly-login.sql
CREATE LOGIN qianyi WITH PASSWORD = N'CHANGE_ME', CHECK_POLICY = ON;
CREATE USER qianyi FOR LOGIN qianyi;
GO
-- 只授予查询权；明确拒绝写入 / SELECT only; writing is denied by name, whatever a role may grant later
GRANT SELECT ON SCHEMA::dbo TO qianyi;
DENY INSERT, UPDATE, DELETE, EXECUTE ON SCHEMA::dbo TO qianyi;
-- 看到所有表、定义、估计行数与行级安全策略；缺少它就不能证明没有漏表
-- every table, its definition, its row count, and policies that hide rows: without it nobody can prove that no table is missing
GRANT VIEW DEFINITION TO qianyi;
GRANT VIEW DATABASE STATE TO qianyi;
-- 有动态数据掩码时（2016 起）/ where columns are masked (2016 and later): GRANT UNMASK TO qianyi;
-- 使用变更跟踪时 / where change tracking is used (05-change-tracking.sql)
GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO qianyi;
GO
-- 看到谁在等待我们的锁，从而暂停读取；看到未提交的事务，使增量水位不越过它们（服务器级）
-- lets qianyi see who waits for a lock of its own, and pause; and open transactions, which watermarks must stay behind (server level)
USE master;
GRANT VIEW SERVER STATE TO qianyi;
GO
-- 可选：用资源调控器限制 CPU 与并发（企业版）/ optional: cap CPU and concurrency by the Resource Governor (Enterprise)
-- CREATE RESOURCE POOL qianyi WITH (MAX_CPU_PERCENT = 20);
-- CREATE WORKLOAD GROUP qianyi WITH (MAX_DOP = 1, GROUP_MAX_REQUESTS = 4) USING qianyi;
