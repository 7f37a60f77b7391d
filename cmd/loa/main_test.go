package main_test

import (
	"flag"
	"os"
	"testing"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

func TestMain(m *testing.M) {
	// The stories of provinces wait most of the time; the command line may say
	// otherwise.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	rig.Remove()
	postgrestest.Stop()
	os.Exit(code)
}

// shipped plays a province with the program as it is shipped, which records
// nothing of what it does.
func shipped(t *testing.T, o rig.Options) (*rig.Rig, *rig.Node) {
	t.Helper()
	o.Tags = []string{}
	r := rig.New(t, o)
	return r, r.Nodes[0]
}

// database is an empty one of PostgreSQL.
func database(t *testing.T) string {
	t.Helper()
	return postgrestest.Shared(t).Database(t)
}
