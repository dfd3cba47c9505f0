-- 供数据库管理员审阅后执行：为 qianyi 建立只读登录。qianyi 只读，从不写源库。
-- For a DBA to review and run: a read-only login for qianyi. Replace the names in capitals.
--   psql -d LEGACY_DATABASE -f 01-readonly-login.sql
CREATE ROLE qianyi LOGIN PASSWORD 'CHANGE_ME' NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 6;
-- 会话默认只读；限制锁等待与语句时间 / sessions read only by default, short waits for locks
ALTER ROLE qianyi SET default_transaction_read_only = on;
ALTER ROLE qianyi SET lock_timeout = '5s';
GRANT CONNECT ON DATABASE legacy_database TO qianyi;
-- PostgreSQL 14 及更早版本：public 模式默认人人可建表 / up to 14 everybody may make tables in public; if no application needs that:
--   REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO qianyi;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO qianyi;
-- 以后新建的表也可读 / tables made later, too (run as their owner)
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO qianyi;
-- 看到其他会话的事务从何时起未结束，时间戳增量才能说出是谁拖住了水位 / lets qianyi see since when transactions of others are open, which hold the
-- method `timestamp` back (PostgreSQL 10 and later)
GRANT pg_read_all_stats TO qianyi;
-- 有行级安全策略的表：策略会藏起行，qianyi 拒绝读取；如需读取，由超级用户执行下行 / tables with row security are refused, as a policy would hide rows:
--   ALTER ROLE qianyi BYPASSRLS;
