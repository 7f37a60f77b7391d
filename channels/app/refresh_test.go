package app

import (
	"errors"
	"testing"

	"loa/channels"
	"loa/channels/app/standin"
)

// What came into force by another gateway's doing is shown to all who listen
// here, each message once, in their own language if there is one.
func TestRefresh(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 10, standin.Options{Language: "en"})
	elsewhere := p.gather(t, 5, standin.Options{Seed: "elsewhere", Communes: func(int) []string { return []string{"11365"} }})
	p.publish(t, p.hub, warning("own", 1), "06652")
	english := warning("other", 1)
	english.Language = "en"
	p.post(warning("other", 1), "06652")
	p.post(english, "06652")
	if n := count(crowd, "other"); n != 0 {
		t.Fatalf("%d heard of it by themselves", n)
	}
	for range 2 {
		if err := p.hub.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.publish(t, p.hub, warning("end", 1), "06652", "11365")
	eventually(t, "the last message", func() bool { return count(crowd, "end") == 10 && count(elsewhere, "end") == 5 })
	if crowd.Repeats() != 0 || count(crowd, "other") != 10 || count(elsewhere, "other") != 0 {
		t.Errorf("%d repeats, %d were shown it; elsewhere %d", crowd.Repeats(), count(crowd, "other"), count(elsewhere, "other"))
	}
	for e := range crowd.Books() {
		if e.Alert == "other" && e.Language != "en" {
			t.Errorf("install %d was shown it in %s", e.Install, e.Language)
		}
	}
}

// A refresh that cannot be told what is in force says so, and the next one
// makes up for it.
func TestRefreshFails(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 3, standin.Options{})
	p.post(warning("a", 1), "06652")
	p.mu.Lock()
	p.fail = errors.New("ledger is away")
	p.mu.Unlock()
	if err := p.hub.Refresh(t.Context()); err == nil {
		t.Fatal("the refresh hides that it failed")
	}
	p.mu.Lock()
	p.fail = nil
	p.mu.Unlock()
	if err := p.hub.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { return count(crowd, "a") == 3 })
}

// An install may acknowledge what it was shown before the core has made the
// alert's deliveries: nothing of it is lost.
func TestEarlyAcknowledgement(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 3, standin.Options{})
	early := 0
	p.mu.Lock()
	p.refuse = func([]channels.Receipt) error {
		if early++; early <= 4 {
			return channels.ErrUnknownRef
		}
		return nil
	}
	p.mu.Unlock()
	p.publish(t, p.hub, warning("a", 1), "06652")
	eventually(t, "the answers", func() bool {
		n := 0
		for e := range crowd.Books() {
			if e.Stored {
				n++
			}
		}
		return n == 3
	})
	if got := len(p.taken()); got != 3 {
		t.Errorf("%d receipts, want 3", got)
	}
}
