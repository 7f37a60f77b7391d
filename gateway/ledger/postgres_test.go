package ledger

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is the PostgreSQL server of this test run; nil if there is none.
var cluster *server

// lacking skips a test whose peer is not installed; in CI it fails it.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	var err error
	if cluster, err = startPostgres(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL:", err)
	}
	code := m.Run()
	cluster.stop()
	os.Exit(code)
}

// server is a PostgreSQL of our own on a socket in a directory of its own.
type server struct {
	dir, bin string
	as       *syscall.SysProcAttr
	count    atomic.Int64
}

// startPostgres starts the newest PostgreSQL that is installed. It does not run
// as root, so root starts it as the user postgres.
func startPostgres() (*server, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(bins) == 0 {
		return nil, fmt.Errorf("not installed (package postgresql): %w", err)
	}
	slices.Sort(bins)
	dir, err := os.MkdirTemp("", "loa-pg")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, bin: filepath.Dir(bins[len(bins)-1])}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if err := s.run("initdb", "-D", data, "-U", "loa", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		return nil, err
	}
	opts := fmt.Sprintf("-k %s -c listen_addresses='' -c max_connections=200 -c shared_buffers=64MB", dir)
	return s, s.run("pg_ctl", "-D", data, "-o", opts, "-l", filepath.Join(dir, "log"), "-w", "start")
}

func (s *server) run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	c.SysProcAttr, c.Dir = s.as, s.dir
	if name == "pg_ctl" {
		// The server keeps what it inherits: no pipe must wait for its end.
		return c.Run()
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func (s *server) stop() {
	if s == nil {
		return
	}
	_ = s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-m", "immediate", "stop")
	_ = os.RemoveAll(s.dir)
}

// database makes an empty database and returns how to reach it.
func (s *server) database(t *testing.T) string {
	t.Helper()
	if s == nil {
		lacking(t, "no PostgreSQL server")
	}
	dsn := func(name string) string {
		return (&url.URL{Scheme: "postgres", User: url.User("loa"), Path: "/" + name, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
	}
	name := fmt.Sprintf("t%d", s.count.Add(1))
	c, err := pgx.Connect(t.Context(), dsn("postgres"))
	must(t, err)
	_, err = c.Exec(t.Context(), "CREATE DATABASE "+name)
	must(t, err)
	must(t, c.Close(t.Context()))
	return dsn(name)
}

func openTestPostgres(t *testing.T, opt Options) *Ledger {
	t.Helper()
	return openPostgresAt(t, cluster.database(t), opt)
}

func openPostgresAt(t *testing.T, dsn string, opt Options) *Ledger {
	t.Helper()
	l, err := OpenPostgres(t.Context(), dsn, opt)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}
