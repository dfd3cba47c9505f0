-- title: 备份登记 / register of backups
-- about: 本轮所依据的一个原始数据文件，即修改前的备份 / one raw file that the run stands on: the backup of what it changes
-- columns: source = 数据源 / source; extract = 抽取 / extract; taken = 完成时间 / finished; point = 数据时点 / point; table = 旧库表 / legacy table; file = 文件 / file;
--     rows = 行数 / rows; bytes = 字节数 / bytes; sha256 = SHA-256 / SHA-256
SELECT b.source, b.extract, b.taken, b.point, b."table", b.file, b."rows", b.bytes, b.sha256
FROM backups AS b
ORDER BY b.source, b."table", b.file
