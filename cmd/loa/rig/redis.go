package rig

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Redis is a redis-server of a test.
type Redis struct {
	*Process

	t    testing.TB
	Addr string
	Port string
	args []string
}

// StartRedis starts a redis-server that keeps nothing on disk, unless args say
// otherwise.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	Need(t, "redis-server", "redis-cli")
	port := FreePort(t)
	r := &Redis{t: t, Port: port, Addr: "127.0.0.1:" + port}
	r.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...)
	r.Restart()
	return r
}

// Restart starts the server again on its port; it must be dead by then.
func (r *Redis) Restart() {
	r.t.Helper()
	r.Process = Start(r.t, nil, "redis-server", r.args...)
	Eventually(r.t, 20*time.Second, "redis-server to answer", func() (bool, string) {
		out, err := r.Try("ping")
		return err == nil && strings.TrimSpace(out) == "PONG", out
	})
}

// CLI asks the server and fails the test if it does not answer.
func (r *Redis) CLI(args ...string) string {
	r.t.Helper()
	out, err := r.Try(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// Try asks the server.
func (r *Redis) Try(args ...string) (string, error) {
	out, err := exec.CommandContext(r.t.Context(), "redis-cli", append([]string{"-p", r.Port}, args...)...).CombinedOutput() // #nosec G204 -- of a test
	if err != nil {
		err = fmt.Errorf("redis-cli %v: %w: %s", args, err, out)
	}
	return string(out), err
}
