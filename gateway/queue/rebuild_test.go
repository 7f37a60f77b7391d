package queue_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
	"loa/gateway/queue"
)

// mute is a carrier that never answers, for people of whom nothing is known.
type mute struct{}

func (mute) Kind() channels.Kind { return channels.SMS }
func (mute) Provider() string    { return "mute" }
func (mute) Live() bool          { return false }
func (mute) Send(ctx context.Context, _ channels.Message) (channels.Ack, error) {
	<-ctx.Done()
	return channels.Ack{}, ctx.Err()
}

func (mute) Open(_ context.Context, _ channels.Kind, _ area.Code, _ string, ids []int64) ([]channels.Address, error) {
	out := make([]channels.Address, len(ids))
	for i := range out {
		out[i] = "+84910000000"
	}
	return out, nil
}

func (mute) Find(context.Context, channels.Kind, channels.Address) (int64, error) { return 0, nil }

// TestHintsAreMadeAnew has Redis forget the hints of a ledger with 100,000
// batches due: the next look at the epoch tells, and all of them are laid there
// again. The fault matrix judges how long that takes.
func TestHintsAreMadeAnew(t *testing.T) {
	batches := 100_000
	if testing.Short() {
		batches = 10_000
	}
	const held = 100 // more than the one worker can have in hand
	addr := server(t)
	admin := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	t.Cleanup(func() { _ = admin.Close() })
	laid := func() int64 {
		n, err := admin.XLen(t.Context(), "loa:{sms}:p0").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	l := due(t, batches)
	q, err := queue.Open(t.Context(), queue.Options{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	e, err := delivery.New(delivery.Options{
		Store: l.Delivery(), Addresses: mute{}, Hints: q, RefKey: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Add(delivery.Lane{Kind: channels.SMS, Providers: []delivery.Provider{{Sender: mute{}}}, Workers: 1, Window: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })

	until(t, time.Minute, "the first hints", func() bool { return laid() >= int64(batches-held) })
	if err := admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	until(t, time.Minute, "the epoch", func() bool { return admin.Exists(t.Context(), "loa:epoch").Val() == 1 })
	noticed := time.Since(began)
	until(t, time.Minute, "all hints", func() bool { return laid() >= int64(batches-held) })
	t.Logf("noticed after %.2f s, %d hints rebuilt after %.2f s", noticed.Seconds(), laid(), time.Since(began).Seconds())
}

func until(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}

// server starts a redis-server that ends with the test.
func server(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "--port", port, "--bind", "127.0.0.1", "--save", "") // #nosec G204 -- of a test
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	until(t, 10*time.Second, "redis-server", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return addr
}

// due is a ledger with an alert in force, of so many batches with one person
// each.
func due(t *testing.T, batches int) *ledger.Ledger {
	t.Helper()
	l, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "loa.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	const id alert.ID = "a1"
	now := time.Now()
	c := desk.Case{
		ID: id, State: alert.Drafted, Author: desk.Person{ID: "p1", Name: "Trần Thị Bình", Territory: "22"}, CreatedAt: now,
		Submission: desk.Submission{
			Revision: &alert.Revision{Alert: id, Number: 1, Code: "K7QM", Sent: now, Status: alert.Actual, MsgType: alert.MsgAlert,
				Infos: []alert.Info{{Language: "vi-VN", Severity: alert.Extreme, Expires: now.Add(6 * time.Hour)}}},
			Communes: []area.Code{"06649"}, HeadCount: map[channels.Kind]int{channels.SMS: batches}, Kinds: []channels.Kind{channels.SMS},
		},
	}
	rec := func(act string) audit.Record {
		return audit.Record{At: now, Actor: "p1", Act: act, Object: "alert/a1", Detail: "{}"}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(l.Desk().Create(t.Context(), c, rec("alert.draft")))
	c.State, c.Hash = alert.Submitted, desk.SubmissionHash{1}
	check(l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Drafted, Records: []audit.Record{rec("alert.submit")}}))
	c.State, c.ApprovedAt = alert.Approved, now
	c.Signatures = []desk.Signature{{Person: "p2", Name: "Nguyễn Văn An", Act: alert.ActApprove, Hash: c.Hash, At: now}}
	check(l.Desk().Apply(t.Context(), desk.Change{
		Case: c, From: alert.Submitted, Records: []audit.Record{rec("alert.approve")},
		Requests: []dispatch.Request{{Key: "a1", Alert: id, Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"06649"}}},
	}))
	var from dispatch.Cursor
	for first := 0; first < batches; first += 1000 {
		bs := make([]delivery.Batch, 1000)
		for i := range bs {
			bs[i] = delivery.Batch{
				Alert: id, Revision: 1, Kind: channels.SMS, Language: "vi", Commune: "06649", Status: channels.Actual, Urgent: true, Resend: true,
				Code: "K7QM", Expires: now.Add(6 * time.Hour), Body: []byte("BÃO KHẨN CẤP: gió mạnh cấp 14."), Recipients: []int64{int64(1 + first + i)},
			}
		}
		to := from
		to.After++
		_, err := l.Dispatch().Cut(t.Context(), "a1", from, to, time.Time{}, bs)
		check(err)
		from = to
	}
	return l
}
