package bench_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/configs"
	"loa/gateway/bench"
	"loa/gateway/demo"
	"loa/gateway/render"
	"loa/templates"
)

// counting is a provider that notes who was sent to.
type counting struct {
	mu    sync.Mutex
	first time.Time
	sent  map[channels.Address]int
}

func (c *counting) Kind() channels.Kind { return channels.SMS }
func (c *counting) Provider() string    { return "counting" }
func (c *counting) Live() bool          { return false }

func (c *counting) Send(_ context.Context, m channels.Message) (channels.Ack, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first.IsZero() {
		c.first = time.Now()
	}
	if m.Ref != "" && len(m.Body) > 0 {
		c.sent[m.To]++
	}
	return channels.Ack{Outcome: channels.Accepted}, nil
}

func TestFanoutSendsToEachOnce(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	keep := t.TempDir()
	for _, made := range []bool{true, false} {
		c := &counting{sent: map[channels.Address]int{}}
		f, err := bench.Fanout(t.Context(), bench.Options{
			Recipients: 2000, Window: 64, Workers: 4, Dir: t.TempDir(), Keep: keep,
			Driver:    channels.Driver{Name: "counting", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return c, nil }},
			First:     func() (time.Time, bool) { return c.first, !c.first.IsZero() },
			Parts:     func(string) (int, string) { return 1, "UCS-2" },
			Sender:    render.Sender{Provider: "counting", Sender: "QuangNinh"},
			Provinces: demo.Provinces, Bulletin: demo.Bulletin, Templates: templates.FS, Facts: configs.Areas,
			Say: t.Logf,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.sent) != 2000 {
			t.Fatalf("%d people were sent a text with a reference, not 2000", len(c.sent))
		}
		for to, n := range c.sent {
			if n != 1 {
				t.Fatalf("%v was sent to %d times", to, n)
			}
		}
		if f.PerSecond <= 0 || f.FirstMS <= 0 || f.LedgerBytes <= 0 || f.PeakRSS <= 0 || f.CPUMicros <= 0 {
			t.Errorf("figures are missing: %+v", f)
		}
		if (f.PrepareSecond > 0) != made {
			t.Errorf("subscribers made: %v, want %v", f.PrepareSecond > 0, made)
		}
	}
}

func TestFanoutRefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	for _, o := range []bench.Options{
		{Recipients: 10, Window: 64, Workers: 8},
		{Recipients: bench.MaxRecipients + 1, Window: 64, Workers: 8},
		{Recipients: 1000, Window: 257, Workers: 8},
		{Recipients: 1000, Window: 64},
	} {
		if _, err := bench.Fanout(t.Context(), o); err == nil {
			t.Errorf("%+v was measured", o)
		}
	}
}
