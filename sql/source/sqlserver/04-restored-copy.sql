-- 供数据库管理员审阅后执行：在另一台（可更新的）服务器上还原备份并设为只读，完全不碰生产库。
-- For a DBA to review and run: restore a backup on another (perhaps newer) server and set it read-only; production is not touched.
RESTORE DATABASE LEGACY_COPY FROM DISK = N'E:\backup\LEGACY_DATABASE.bak'
  WITH MOVE N'LEGACY_DATABASE' TO N'D:\copies\LEGACY_COPY.mdf',
       MOVE N'LEGACY_DATABASE_log' TO N'D:\copies\LEGACY_COPY.ldf',
       RECOVERY;
GO
-- qianyi 只接受只读的副本：否则无法证明没有人改动它 / qianyi accepts only a read-only copy: nobody could prove otherwise that it stays as it is.
ALTER DATABASE LEGACY_COPY SET READ_ONLY WITH ROLLBACK IMMEDIATE;
