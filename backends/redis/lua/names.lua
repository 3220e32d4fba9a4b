-- Tells the keys of this server that match a pattern, a part at a time.
--
-- keys     none: it reads no key, and a cluster is asked node by node
-- args     1 cursor, "0" at first, 2 pattern, 3 about how many keys to look at
-- result   {next cursor, "0" at the end, keys}
-- clock    none

return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
