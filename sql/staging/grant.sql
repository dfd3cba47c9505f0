-- What the login of [staging] needs, run once by the administrator of the staging database: to make schemas of its own there, nothing
-- else. Replace qianyi_login and staging_database.
-- 预演库管理员执行一次：只授予 [staging] 登录名在预演库中建立自己模式的权限。请替换 qianyi_login 和 staging_database。
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE staging_database TO qianyi_login;
