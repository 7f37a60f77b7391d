// Package postgrestest gives tests a real PostgreSQL server of their own, on a
// socket in a folder of its own: nothing that runs on the machine is touched.
// Tests alone import it. It must not know the ledger.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Server is a running PostgreSQL server.
type Server struct {
	dir, bin string
	as       *syscall.SysProcAttr
	count    atomic.Int64 // databases
}

var (
	shared = sync.OnceValues(Start)
	asked  atomic.Bool
)

// Shared is the one server of this test process, started when it is first asked
// for. Stop, called at the end of TestMain, ends it. Where PostgreSQL is not
// installed the test is skipped, and with CI=true it fails.
func Shared(t testing.TB) *Server {
	t.Helper()
	asked.Store(true)
	s, err := shared()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Stop ends the shared server, if it was started.
func Stop() {
	if !asked.Load() {
		return
	}
	if s, _ := shared(); s != nil {
		s.Stop()
	}
}

// Start starts the newest PostgreSQL that is installed, with a superuser "loa".
// It refuses to run as root, so root starts it as the user postgres.
func Start() (s *Server, err error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(bins) == 0 {
		return nil, errors.Join(errors.New("PostgreSQL is not installed (Debian package postgresql)"), err)
	}
	slices.Sort(bins)
	dir, err := os.MkdirTemp("", "loa-pg-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	s = &Server{dir: dir, bin: filepath.Dir(bins[len(bins)-1])}
	if os.Getuid() == 0 {
		if s.as, err = unprivileged(dir); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if _, err := s.Run("initdb", "-D", data, "-U", "loa", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		return nil, err
	}
	opts := fmt.Sprintf("-k %s -c listen_addresses='' -c max_connections=200 -c shared_buffers=64MB", dir)
	if _, err := s.Run("pg_ctl", "-D", data, "-o", opts, "-l", filepath.Join(dir, "log"), "-w", "start"); err != nil {
		return nil, err
	}
	return s, nil
}

// unprivileged hands a folder to the user postgres, as whom programs then run.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return as, os.Chown(dir, int(uid), int(gid))
}

// Stop ends the server as a power cut would and removes its folder.
func (s *Server) Stop() {
	_, _ = s.Run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-m", "immediate", "stop")
	_ = os.RemoveAll(s.dir)
}

// Restart ends the server as a power cut would and starts it again.
func (s *Server) Restart() error {
	_, err := s.Run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-l", filepath.Join(s.dir, "log"), "-m", "immediate", "-w", "restart")
	return err
}

// Run runs one of PostgreSQL's own programs, as its user, and returns what it
// printed.
func (s *Server) Run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) //nolint:forbidigo // the server outlives a test
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...) //nolint:gosec // what a test asks for
	c.SysProcAttr, c.Dir = s.as, s.dir
	if name == "pg_ctl" {
		// The server keeps what it inherits: no pipe must wait for its end.
		if err := c.Run(); err != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return "", fmt.Errorf("pg_ctl: %w: %s", err, log)
		}
		return "", nil
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Database makes an empty database and returns its connection string.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.count.Add(1))
	if _, err := s.Run("createdb", "-h", s.dir, "-U", "loa", name); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "postgres", User: url.User("loa"), Path: "/" + name, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
}

// Ask has psql answer one question about a database.
func (s *Server) Ask(t testing.TB, dsn, query string) string {
	t.Helper()
	out, err := s.Run("psql", "-X", "-A", "-t", "-d", dsn, "-c", query)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
