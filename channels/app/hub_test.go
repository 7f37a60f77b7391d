package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/channels/app/standin"
	"loa/channels/channelstest"
)

// Not parallel: the suite looks for goroutines left behind.
func TestVerify(t *testing.T) {
	var current *place
	var crowd *standin.Crowd
	var count atomic.Int64
	next := func() channels.Message { return warning(fmt.Sprintf("a%d", count.Add(1)), 1) }
	copies := func(m channels.Message) int {
		for e := range crowd.Books() {
			if e.Alert == m.Alert {
				return e.Copies
			}
		}
		return 0
	}
	channelstest.VerifyBroadcaster(t, channelstest.BroadcastConfig{
		Kind: channels.App,
		Open: func(t testing.TB, _ channelstest.Provider) channels.Broadcaster {
			current = start(t.(*testing.T), roomy())
			crowd = current.gather(t, 1, standin.Options{})
			return current.hub
		},
		Message: func(testing.TB) channels.Message { return next() },
		Areas:   []string{"06652"},
		Heard: func(t testing.TB, m channels.Message) int {
			barrier := next() // what was queued before it has arrived before it
			if _, err := current.hub.Broadcast(context.Background(), barrier, []string{"06652"}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the barrier", func() bool { return copies(barrier) == 1 })
			return copies(m)
		},
	})
}

// Installs join while messages are published: each gets each message in force
// exactly once, whether it came by resync, by broadcast or by both.
func TestJoinRacesBroadcast(t *testing.T) {
	t.Parallel()
	const installs, messages = 60, 180
	p := start(t, Config{PerAddress: 1000, Queue: 1024})
	areas := []string{"06652", "06655", "06658"}
	o := standin.Options{
		URL: p.url, Parallel: 4, Pause: time.Millisecond,
		Communes: func(i int) []string { return areas[:1+i%len(areas)] },
	}
	crowd := standin.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { crowd.Run(ctx, installs) })
	defer running.Wait()
	defer cancel()

	duringJoin := 0
	for i := range messages {
		eventually(t, "the next install at the door", func() bool { return crowd.Dials() > i*installs/messages })
		if n := crowd.Connected(); n > 0 && n < installs {
			duringJoin++
		}
		m := warning(fmt.Sprintf("a%03d", i), 1)
		p.post(m, areas...)
		for _, a := range areas { // one broadcast per commune, as batches come
			if _, err := p.hub.Broadcast(t.Context(), m, []string{a}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if duringJoin < messages/4 {
		t.Errorf("the race did not happen: only %d messages were published while installs were joining", duringJoin)
	}
	eventually(t, "every install to have every message", func() bool {
		n := 0
		for range crowd.Books() {
			n++
		}
		return n == installs*messages
	})
	if n := crowd.Repeats(); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if n := crowd.Broken(); n != 0 {
		t.Errorf("%d frames outside the protocol", n)
	}
}

// Several communes and several batches bring one message once; a new revision
// is a new message.
func TestOnceForAllCommunesAndBatches(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 3, standin.Options{Communes: func(int) []string { return []string{"06652", "06655"} }})
	elsewhere := p.gather(t, 2, standin.Options{Seed: "elsewhere", Communes: func(int) []string { return []string{"11365"} }})
	for range 3 {
		p.publish(t, p.hub, warning("a", 1), "06652")
		p.publish(t, p.hub, warning("a", 1), "06655")
	}
	p.publish(t, p.hub, warning("a", 2), "06655", "06652")
	p.publish(t, p.hub, warning("end", 1), "06655", "11365")
	eventually(t, "the last message", func() bool { return count(crowd, "end") == 3 && count(elsewhere, "end") == 2 })
	if crowd.Repeats() != 0 || count(crowd, "a") != 6 || count(elsewhere, "a") != 0 {
		t.Errorf("%d repeats, %d entries of the alert; elsewhere %d", crowd.Repeats(), count(crowd, "a"), count(elsewhere, "a"))
	}
}

func count(c *standin.Crowd, alert string) int {
	n := 0
	for e := range c.Books() {
		if e.Alert == alert {
			n++
		}
	}
	return n
}

// A listener never misses a message for want of its own language, and never
// gets another language after its own.
func TestLanguage(t *testing.T) {
	t.Parallel()
	in := func(lang string, alert string) channels.Message {
		m := warning(alert, 1)
		m.Language = lang
		return m
	}
	p := start(t, roomy())
	p.post(in("vi", "stands"), "06652")
	p.post(in("en", "stands"), "06652")
	p.post(in("vi", "only-vi"), "06652")
	english, every := p.connect(t), p.connect(t)
	english.say(`{"type":"hello","communes":["06652"],"language":"en"}`)
	every.say(`{"type":"hello","communes":["06652"]}`)
	get := func(c *client, n int) (got []string) {
		for range n {
			h := c.hear()
			if h.Type == "welcome" {
				got = append(got, fmt.Sprint("welcome ", len(h.InForce)))
				continue
			}
			got = append(got, h.Alert+" "+h.Language)
		}
		return got
	}
	if diff := cmp.Diff([]string{"welcome 2", "stands en", "only-vi vi"}, get(english, 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"welcome 2", "stands vi", "stands en", "only-vi vi"}, get(every, 4)); diff != "" {
		t.Error(diff)
	}
	p.publish(t, p.hub, in("en", "live"), "06652")
	p.publish(t, p.hub, in("vi", "live"), "06652")
	p.publish(t, p.hub, in("vi", "late"), "06652")
	p.publish(t, p.hub, in("en", "late"), "06652")
	if diff := cmp.Diff([]string{"live en", "late vi", "late en"}, get(english, 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"live en", "live vi", "late vi", "late en"}, get(every, 4)); diff != "" {
		t.Error(diff)
	}
}

// What the client holds is not sent again; what has ended it is told by the
// welcome; what has expired is not shown.
func TestResync(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	p.post(warning("a", 1), "06652")
	p.post(warning("b", 3), "06652")
	old := warning("old", 1)
	old.Expires = time.Now().Add(-time.Second)
	p.post(old, "06652")
	c := p.connect(t)
	c.say(`{"type":"hello","communes":["06652"],"have":[{"alert":"b","revision":3},{"alert":"gone","revision":1},{"alert":"a","revision":2}]}`)
	w := c.hear()
	if len(w.InForce) != 2 || w.InForce[0].Alert != "a" || w.InForce[1].Alert != "b" {
		t.Errorf("welcome lists %v", w.InForce)
	}
	if h := c.hear(); h.Alert != "a" || h.Revision != 1 {
		t.Errorf("first message is %v", h)
	}
	p.publish(t, p.hub, warning("b", 3), "06652")
	p.publish(t, p.hub, warning("c", 1), "06652")
	if h := c.hear(); h.Alert != "c" {
		t.Errorf("next is %v: what the client holds came again", h)
	}
}

// A crowd that lost its hub returns, is told what it missed and nothing else.
func TestReturnAfterRestart(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 40, standin.Options{})
	p.publish(t, p.hub, warning("a", 1), "06652")
	eventually(t, "the first message", func() bool { return count(crowd, "a") == 40 })
	before := crowd.Dials()
	p.post(warning("missed", 1), "06652") // while every connection is cut
	p.hub.mu.RLock()
	for c := range p.hub.conns {
		_ = c.ws.NetConn().Close()
	}
	p.hub.mu.RUnlock()
	eventually(t, "the crowd to return", func() bool { return count(crowd, "missed") == 40 && crowd.Connected() == 40 })
	if crowd.Dials() < before+40 {
		t.Errorf("the fault did not happen: %d dials before, %d after", before, crowd.Dials())
	}
	if n := crowd.Repeats(); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

// A herd that returns at once costs the core one question per commune.
func TestHerdAsksOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := start(t, roomy())
	p.hub.deps.Now = func() time.Time { return now }
	p.post(warning("a", 1), "06652")
	crowd := p.gather(t, 200, standin.Options{})
	eventually(t, "the message", func() bool { return count(crowd, "a") == 200 })
	if p.asked != 1 {
		t.Errorf("the core was asked %d times by 200 listeners of one commune", p.asked)
	}
	p.publish(t, p.hub, warning("b", 1), "06652")
	late := p.gather(t, 1, standin.Options{Seed: "late"})
	eventually(t, "the later message", func() bool { return count(late, "b") == 1 })
	if p.asked != 2 {
		t.Errorf("asked %d times: a list from before a broadcast was used after it", p.asked)
	}
}

func TestSnapshotFails(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	p.fail = errors.New("ledger is away")
	c := p.connect(t)
	c.say(`{"type":"hello","communes":["06652"]}`)
	if code := c.closed(); code != 1013 {
		t.Errorf("close code %d, want 1013", code)
	}
	eventually(t, "the connection to be forgotten", func() bool { return p.hub.Connections() == 0 })
	p.mu.Lock()
	p.fail = nil
	p.mu.Unlock()
	c = p.connect(t)
	c.say(`{"type":"hello","communes":["06652"]}`)
	if h := c.hear(); h.Type != "welcome" {
		t.Errorf("after the fault: %v", h)
	}
}

func TestLiveUnlessHeldToAnOrigin(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{"": true, "http://127.0.0.1:8080": false} {
		b := &board{}
		h, err := Open(Config{}, channels.Deps{Sink: b.sink, Snapshot: b.snapshot, Origin: origin, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if h.Live() != want {
			t.Errorf("live with origin %q: %v", origin, h.Live())
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBroadcastRefuses(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	for name, c := range map[string]struct {
		change func(*channels.Message)
		areas  []string
		says   string
	}{
		"body is no JSON": {change: func(m *channels.Message) { m.Body = []byte("Bão") }, says: "body"},
		"empty body":      {change: func(m *channels.Message) { m.Body = nil }, says: "body"},
		"no alert":        {change: func(m *channels.Message) { m.Alert = "" }, says: "alert"},
		"no revision":     {change: func(m *channels.Message) { m.Revision = 0 }, says: "revision"},
		"a name as area":  {change: func(*channels.Message) {}, areas: []string{"Hạ Long"}, says: "areas"},
	} {
		m := warning("a", 1)
		c.change(&m)
		if c.areas == nil {
			c.areas = []string{"06652"}
		}
		_, err := p.hub.Broadcast(t.Context(), m, c.areas)
		if e := channels.AsError(err); e == nil || e.Fault != channels.FaultContent || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	b := &board{}
	good := channels.Deps{Sink: b.sink, Snapshot: b.snapshot, Now: time.Now}
	for says, c := range map[string]struct {
		config Config
		deps   channels.Deps
	}{
		"per_address":     {Config{PerAddress: -1}, good},
		"queue":           {Config{Queue: 5000}, good},
		"write_timeout":   {Config{WriteTimeout: -1}, good},
		"pong_wait":       {Config{PongWait: -1}, good},
		"origins":         {Config{Origins: []string{"https://a.example/x"}}, good},
		"trusted_proxies": {Config{TrustedProxies: []string{"127.0.0.1"}}, good},
		"snapshot":        {Config{}, channels.Deps{Sink: b.sink, Now: time.Now}},
		"public":          {Config{}, channels.Deps{Sink: b.sink, Snapshot: b.snapshot, Public: "loa.example", Now: time.Now}},
	} {
		_, err := Driver().Open(func(v any) error { *v.(*Config) = c.config; return nil }, c.deps)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v", says, err)
		}
	}
}
