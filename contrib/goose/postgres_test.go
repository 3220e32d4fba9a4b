package lkgoose

import (
	"database/sql"
	"os"
	"testing"

	"github.com/pressly/goose/v3"
)

// Goose can install the locks of backends/postgres by the SQL file of that module.
func TestGooseInstallsTheLocksOfPostgreSQL(t *testing.T) {
	db, err := sql.Open("pgx", database.Get(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, want := range []int{1, 0} {
		p, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("../../backends/postgres/migrations"))
		if err != nil {
			t.Fatal(err)
		}
		done, err := p.Up(t.Context())
		if err != nil || len(done) != want {
			t.Fatalf("%d migrations were applied, %v; want %d", len(done), err, want)
		}
	}
	var format int
	if err := db.QueryRowContext(t.Context(), "SELECT lockkeeper.format()").Scan(&format); err != nil || format != 1 {
		t.Errorf("the schema has format %d, %v; want 1", format, err)
	}
}
