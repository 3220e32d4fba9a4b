#!/bin/sh
# Cron starts it on each hour. The next backup is left out while one runs.
exec 9>/run/locks/backup.lock
flock --nonblock 9 || exit 0
pg_dump -f /backup/db.sql
