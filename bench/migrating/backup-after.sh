#!/bin/sh
# The store is a directory, and the file is the same: /run/locks/backup.lock.
export LOCKKEEPER_STORE=/run/locks
exec lockkeeper run --no-wait --quiet --busy-code 0 backup -- pg_dump -f /backup/db.sql
