package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"loa/channels"
	carrier "loa/channels/sms/standin"
	"loa/cmd/loa/rig"
)

// TestWaitForTheSecondAttempt: a fifth of the numbers is bad, some of them only
// at the moment (30003). Whoever follows the alert is told that these are called
// again and when, on the terminal, in the API and on the page, and waits until
// they were. Whoever is reached then has never been among the failed.
func TestWaitForTheSecondAttempt(t *testing.T) {
	t.Parallel()
	const share, after = 0.2, 8 * time.Second
	r, n := shipped(t, rig.Options{People: 300, RetryAfter: after, CarrierArgs: []string{"--bad", fmt.Sprint(share), "--seed", "5"}})
	away := map[string]bool{}
	for _, p := range r.People {
		if bad, is := carrier.Verdict(p.Address, 5, share); p.Kind == channels.SMS && is && bad.Code == 30003 {
			away[p.Address] = true
		}
	}
	if len(away) == 0 {
		t.Fatal("no number is away")
	}
	n.Serve()
	id := r.Alert()
	wait := n.Command(r.Token(0), "", "alert", "status", id, "--wait")
	var said strings.Builder
	wait.Stdout, wait.Stderr = &said, &said
	if err := wait.Start(); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(r, 30*time.Second, "second attempts to be announced", func() (bool, string) {
		c := r.Status(id).Coverage
		if c == nil || c.Again < len(away) {
			return false, fmt.Sprintf("%+v", c)
		}
		if left := time.Until(c.Next); left > after || left < -after {
			t.Errorf("the second attempt is due in %v, not within %v", left, after)
		}
		return true, ""
	})
	if _, body, err := n.Get("/"); err != nil || !strings.Contains(body, " máy chờ gửi lại, sớm nhất lúc ") && !strings.Contains(body, " máy đang được gửi lại.") {
		t.Error("the live page says nothing of a second attempt")
	}
	rig.Eventually(r, 30*time.Second, "the carrier to report on everybody", func() (bool, string) {
		for _, c := range r.Status(id).Coverage.Channels {
			if c.Kind == channels.SMS {
				open := c.Outcomes["pending"] + c.Outcomes["sending"] + c.Outcomes["accepted"]
				return open == 0, fmt.Sprint(c.Outcomes)
			}
		}
		return false, "no SMS"
	})
	// They can be reached from now on.
	r.Carrier.Kill()
	r.RestartCarrier()
	if err := wait.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if want := " wait for a second attempt, the next is due at "; !strings.Contains(said.String(), want) {
		t.Errorf("--wait does not say %q:\n%s", want, said.String())
	}
	failed := r.Left(id, channels.Failed)
	if counts := rig.Steady(t, `^sms \d+:.* (\d+) failed`, said.String()); failed == 0 || len(counts) == 0 || counts[len(counts)-1] != failed {
		t.Errorf("--wait counts %v failures, and at the end there are %d:\n%s", counts, failed, said.String())
	}
	copies := map[string]int{}
	for _, e := range r.Messages() {
		copies[e.To]++
	}
	for number := range away {
		if copies[number] != 2 {
			t.Errorf("a number that was away was called %d times when --wait ended", copies[number])
		}
	}
	if c := r.Status(id).Coverage; c.Again != 0 || !c.Next.IsZero() {
		t.Errorf("%d wait after --wait, the next at %v", c.Again, c.Next)
	}
}
