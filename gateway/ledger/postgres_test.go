package ledger

import (
	"os"
	"testing"

	"loa/gateway/ledger/postgrestest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

func openTestPostgres(t *testing.T, opt Options) *Ledger {
	t.Helper()
	return openPostgresAt(t, postgrestest.Shared(t).Database(t), opt)
}

func openPostgresAt(t *testing.T, dsn string, opt Options) *Ledger {
	t.Helper()
	l, err := OpenPostgres(t.Context(), dsn, opt)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}
