package rig

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Redis is a redis-server of a test, or a Sentinel.
type Redis struct {
	*Process

	t    testing.TB
	on   *Host // nil: loopback
	Addr string
	Port string
	Dir  string
	args []string

	password string // "" on loopback
}

// hostPassword is that of every Redis off loopback, where one is required.
const hostPassword = "q7Vd2-xR9mK4-tB6nW1" // #nosec G101 -- of a test

// StartRedis starts a redis-server that keeps nothing on disk, unless args say
// otherwise.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return StartRedisOn(t, nil, args...)
}

// StartRedisOn starts it on a host.
func StartRedisOn(t testing.TB, on *Host, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, on)
	host, _, _ := strings.Cut(r.Addr, ":")
	r.args = append([]string{"--port", r.Port, "--bind", host, "--protected-mode", "no", "--save", "", "--dir", r.Dir}, args...)
	if on != nil {
		r.password = hostPassword
		r.args = append(r.args, "--requirepass", r.password, "--masterauth", r.password)
	}
	r.Restart()
	return r
}

func newRedis(t testing.TB, on *Host) *Redis {
	t.Helper()
	Need(t, "redis-server", "redis-cli")
	host := "127.0.0.1"
	if on != nil {
		host = on.Addr
	}
	r := &Redis{t: t, on: on, Port: FreePort(t), Dir: t.TempDir()}
	r.Addr = net.JoinHostPort(host, r.Port)
	return r
}

// Restart starts the server again on its port; it must be dead by then.
func (r *Redis) Restart() {
	r.t.Helper()
	r.Begin()
	Eventually(r.t, 20*time.Second, "redis-server to answer", func() (bool, string) {
		out, err := r.Try("ping")
		return err == nil && strings.TrimSpace(out) == "PONG", out
	})
}

// Begin is Restart that waits for nothing.
func (r *Redis) Begin() {
	r.t.Helper()
	command := r.on.command(append([]string{"redis-server"}, r.args...))
	r.Process = Start(r.t, nil, command[0], command[1:]...)
	go drain(r.Process)
}

// drain reads what a program writes, which would otherwise wait for a reader.
func drain(p *Process) { _, _ = io.Copy(io.Discard, p.Stdout) }

// CLI asks the server and fails the test if it does not answer, or with an
// error.
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
	host, _, _ := strings.Cut(r.Addr, ":")
	command := r.on.command(append([]string{"redis-cli", "-e", "-h", host, "-p", r.Port}, args...))
	cmd := exec.CommandContext(r.t.Context(), command[0], command[1:]...) // #nosec G204 -- of a test
	if r.password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+r.password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("redis-cli %v: %w: %s", args, err, out)
	}
	return string(out), err
}

// Config is the "redis" section for it, behind addr if that is not empty.
func (r *Redis) Config(addr string) string {
	if addr == "" {
		addr = r.Addr
	}
	return fmt.Sprintf("{addr: %q, password: %q}", addr, r.password)
}

// Login is the command that a connection to it begins with.
func (r *Redis) Login() string {
	if r.password == "" {
		return "PING"
	}
	return "AUTH " + r.password
}

// Info is a field of INFO; "" if there is none, or if the server does not answer
// now, as while it changes its role.
func (r *Redis) Info(section, field string) string {
	r.t.Helper()
	out, err := r.Try("info", section)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(out) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && k == field {
			return v
		}
	}
	return ""
}
