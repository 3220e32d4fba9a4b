// Lockkeeper-postgres is the lockkeeper command with one store more: PostgreSQL.
//
//	lockkeeper-postgres migrate --store postgres://owner@db1/app
//	lockkeeper-postgres doctor --store postgres://app@db1/app
//	lockkeeper-postgres run --store postgres://app@db1/app nightly-backup -- ./backup.sh
//
// All subcommands and flags are those of lockkeeper, see go doc or lockkeeper man, and --store takes
// postgres:// and postgresql:// as well as all that lockkeeper takes. It is a program of its own, so
// that lockkeeper needs no driver of PostgreSQL.
//
// # The store
//
//	postgres://USER:PASSWORD@HOST:PORT/DATABASE
//
// The parameters of libpq work, such as ?sslmode=verify-full, and so do the variables PGPASSWORD,
// PGSSLMODE and the like. Further parameters:
//
//	schema=NAME        the schema that has the locks; default: lockkeeper
//	listen=HOST:PORT   where messages come from that a pooler at HOST does not deliver; none: do without
//	default_query_exec_mode=exec   for a pooler that does not know prepared statements
//
// Put a password into PGPASSWORD or ~/.pgpass rather than into an argument, which all users of the
// machine can read. The name of a store in ~/.config/lockkeeper/config.json stands for its URL.
//
// # migrate [--store STORE] [--grant ROLE]
//
// It installs the locks in the database, or brings them to the format that this program needs, as a
// user that may create a schema. With --grant, ROLE may use them. It may be repeated. The exit status
// is 1 if it fails, and 64 for a wrong command line.
package main
