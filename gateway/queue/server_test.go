package queue

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// need finds a program or skips; in CI nothing may be missing.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// spawn starts a program that ends with the test.
func spawn(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), need(t, name), args...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// startRedis starts a server and returns its address.
func startRedis(t *testing.T, args ...string) (*exec.Cmd, int) {
	t.Helper()
	port := freePort(t)
	all := append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}, args...)
	cmd := spawn(t, "redis-server", all...)
	c := admin(t, port)
	eventually(t, 10*time.Second, "redis-server to answer", func() bool {
		err := c.Ping(context.Background()).Err()
		return err == nil || isRedis(err) && !hasPrefix(err, "LOADING")
	})
	return cmd, port
}

// admin is a plain client, beside the queue's own.
func admin(t *testing.T, port int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: loopback(port), DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// startSentinels starts a master, a replica and three Sentinels over them.
func startSentinels(t *testing.T) (master *exec.Cmd, sentinels []string) {
	t.Helper()
	need(t, "redis-sentinel")
	master, port := startRedis(t)
	_, replica := startRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(port))
	c := admin(t, replica)
	eventually(t, 10*time.Second, "the replica to follow", func() bool {
		text, err := c.Info(context.Background(), "replication").Result()
		up, _ := infoField(text, "master_link_status")
		return err == nil && up == "up"
	})
	var ports []int
	for range 3 {
		p := freePort(t)
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor loa 127.0.0.1 %d 2\nsentinel down-after-milliseconds loa 1000\nsentinel failover-timeout loa 5000\n", p, port)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		spawn(t, "redis-sentinel", file)
		ports, sentinels = append(ports, p), append(sentinels, loopback(p))
	}
	for _, p := range ports {
		s := redis.NewSentinelClient(&redis.Options{Addr: loopback(p), DisableIdentity: true})
		eventually(t, 20*time.Second, "the Sentinels to know each other", func() bool {
			others, err := s.Sentinels(context.Background(), "loa").Result()
			replicas, err2 := s.Replicas(context.Background(), "loa").Result()
			return err == nil && err2 == nil && len(others) == 2 && len(replicas) == 1
		})
		_ = s.Close()
	}
	return master, sentinels
}

func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}

// lossy passes TCP on to a server and, once told to, swallows its answers:
// what was asked is done and nobody hears of it.
type lossy struct {
	addr string
	lose chan struct{} // closed: lose answers
	lost chan struct{} // gets one token per swallowed answer
}

func startLossy(t *testing.T, port int) *lossy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossy{addr: l.Addr().String(), lose: make(chan struct{}), lost: make(chan struct{}, 1000)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", loopback(port))
			if err != nil {
				_ = in.Close()
				continue
			}
			go p.pass(in, out, false)
			go p.pass(out, in, true)
		}
	}()
	return p
}

func (p *lossy) pass(from, to net.Conn, answers bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if answers {
			select {
			case <-p.lose:
				p.lost <- struct{}{}
				return
			default:
			}
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
