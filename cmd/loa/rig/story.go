package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"loa/channels"
	carrier "loa/channels/sms/standin"
	"loa/gateway/web/api"
)

var (
	idForm   = regexp.MustCompile(`\b\d{8}T\d{6}Z-[a-z0-9]+|\bkeyed-[a-z0-9]+`)
	hashForm = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
)

// Submit has a storm warning for the whole province drafted and submitted, and
// returns its identifier and the hash to sign. Edits change the example's text.
func (r *Rig) Submit(edits ...string) (id, hash string) {
	r.Helper()
	n := r.alive()
	draft := strings.NewReplacer(edits...).Replace(n.Loa(r.tokens[0], "", "alert", "example"))
	id = idForm.FindString(n.Loa(r.tokens[0], draft, "alert", "draft", "-"))
	if id == "" {
		r.Fatal("the draft has no id")
	}
	hash = hashForm.FindString(n.Loa(r.tokens[0], "", "alert", "submit", id))
	if hash == "" {
		r.Fatal("the submission has no hash")
	}
	r.submitted = append(r.submitted, id)
	return id, hash
}

// Approve has the second person sign.
func (r *Rig) Approve(id, hash string) {
	r.Helper()
	if err := r.TryApprove(id, hash); err != nil {
		r.Fatal(err)
	}
}

// TryApprove is Approve while gateways may be dying.
func (r *Rig) TryApprove(id, hash string) error {
	return r.called("approve", id, func() error {
		_, err := r.alive().TryLoa(r.tokens[1], "", "alert", "approve", id, "--hash", hash)
		return err
	})
}

// Alert has a storm warning drafted, submitted and approved by two people.
func (r *Rig) Alert(edits ...string) string {
	r.Helper()
	id, hash := r.Submit(edits...)
	r.Approve(id, hash)
	return id
}

// alive is the first node that runs; without one, the first, whose commands
// then open the ledger themselves.
func (r *Rig) alive() *Node {
	for _, n := range r.Nodes {
		if n.Process == nil {
			continue
		}
		select {
		case <-n.Ended():
		default:
			return n
		}
	}
	return r.Nodes[0]
}

// Status is what the gateway says of an alert.
func (r *Rig) Status(id string) api.Alert {
	r.Helper()
	a, err := r.TryStatus(id)
	if err != nil {
		r.Fatal(err)
	}
	return a
}

// TryStatus is Status while gateways may be dying.
func (r *Rig) TryStatus(id string) (a api.Alert, err error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+r.Door.Addr()+"/api/v1/alerts/"+id, nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+r.tokens[0])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return a, fmt.Errorf("status of %s: %s", id, resp.Status)
	}
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

// Taken is how many messages the carriers and the push service have on their
// books.
func (r *Rig) Taken() int {
	r.Helper()
	return r.TakenBy(r.CarrierBooks()) + r.TakenBy(r.SecondBooks()) + r.TakenBy(r.PushBooks())
}

// AwaitTaken waits until the providers have taken so many messages.
func (r *Rig) AwaitTaken(n int) {
	r.Helper()
	Eventually(r, time.Minute, "messages to be taken", func() (bool, string) {
		taken := r.Taken()
		return taken >= n, fmt.Sprintf("%d of %d", taken, n)
	})
}

// Left counts an alert's recipients whose outcome is one of those given.
func (r *Rig) Left(id string, outcomes ...channels.Outcome) int {
	r.Helper()
	n := 0
	for _, c := range r.Status(id).Coverage.Channels {
		for _, o := range outcomes {
			n += c.Outcomes[o.String()]
		}
	}
	return n
}

// InTheMiddle fails if nothing was left to send after what happened.
func (r *Rig) InTheMiddle(id, what string) int {
	r.Helper()
	pending := r.Left(id, channels.Pending)
	if pending == 0 {
		r.Fatalf("%s came too late: nothing was left to send", what)
	}
	r.Logf("%d pending after %s", pending, what)
	return pending
}

// Finish waits until nobody is pending, sending or in doubt any more and every
// provider that reports has reported.
func (r *Rig) Finish(id string, within time.Duration) {
	r.Helper()
	Eventually(r, within, "the alert to end", func() (bool, string) {
		n, err := r.tally(id)
		if err != nil {
			return false, err.Error()
		}
		open := n.open + n.unreported
		done := open == 0 && n.eligible == r.Options.People && r.acknowledged(id)
		return done, fmt.Sprintf("%d of %d recipients open: %+v", open, n.eligible, n.channels)
	})
}

// FinishInDoubt is Finish where both sends to somebody may have been cut short
// by a fault: that one stays in doubt.
func (r *Rig) FinishInDoubt(id string, within time.Duration) (doubts int) {
	r.Helper()
	Eventually(r, within, "the alert to end", func() (bool, string) {
		n, err := r.tally(id)
		if err != nil {
			return false, err.Error()
		}
		open := n.open + n.unreported - n.settled
		doubts = n.settled
		return open == 0 && n.eligible == r.Options.People && r.acknowledged(id), fmt.Sprintf("%d of %d recipients open: %+v", open, n.eligible, n.channels)
	})
	return doubts
}

// tally is what the gateway says of everybody whom an alert is for.
type tally struct {
	channels   []api.Cell
	open       int // pending, sending or in doubt
	settled    int // of these in doubt for ever: no call, question or receipt is to come
	unreported int // the carrier has taken them and has yet to report
	eligible   int
	reached    map[string]int // by channel
}

// tally fails while the recipients are being cut.
func (r *Rig) tally(id string) (tally, error) {
	a, err := r.TryStatus(id)
	if err != nil {
		return tally{}, err
	}
	if a.Coverage == nil || a.Coverage.Cutting {
		return tally{}, errors.New("being cut")
	}
	n := tally{channels: a.Coverage.Channels, reached: map[string]int{}}
	for _, c := range n.channels {
		n.open += c.Outcomes["pending"] + c.Outcomes["sending"] + c.Outcomes["ambiguous"]
		n.eligible += c.Eligible
		n.reached[string(c.Kind)] = c.Outcomes["accepted"] + c.Outcomes["delivered"] + c.Outcomes["confirmed"]
		switch {
		case c.Kind == channels.SMS:
			n.unreported += c.Outcomes["accepted"]
		case a.Coverage.Again == 0:
			n.settled += c.Outcomes["ambiguous"]
		}
	}
	return n, nil
}

// acknowledged reports whether the gateway has every acknowledgement that the
// apps sent of an alert.
func (r *Rig) acknowledged(id string) bool {
	if r.crowd == nil {
		return true
	}
	n := 0
	for e := range r.crowd.Books() {
		switch {
		case e.Alert != id:
		case !e.Stored:
			return false
		default:
			n++
		}
	}
	return n >= r.Apps()
}

// Sum is what the books say of one alert that was alone.
type Sum struct {
	Lost   int // people who got nothing
	Second int // copies beyond the first
	Kept   map[channels.Kind]int
}

// Compare holds the providers' books against everybody who was drawn and
// against what the gateway says, and fails on anybody lost, on more second
// copies than allowed, and on any disagreement.
func (r *Rig) Compare(id string, mayRepeat int) Sum {
	r.Helper()
	return r.CompareBut(id, mayRepeat, func(Person) bool { return false })
}

// CompareBut is Compare where some people cannot be reached: a copy to one of
// them is a fault.
func (r *Rig) CompareBut(id string, mayRepeat int, unreachable func(Person) bool) Sum {
	r.Helper()
	copies := r.Copies()
	s := Sum{Kept: map[channels.Kind]int{}}
	for _, p := range r.People {
		n := copies[p.Address]
		switch {
		case n > 0 && unreachable(p):
			r.Errorf("somebody on %s who cannot be reached was", p.Kind)
		case n > 0:
			s.Kept[p.Kind]++
		case !unreachable(p):
			s.Lost++
		}
		s.Second += max(0, n-1)
	}
	r.Logf("lost %d, duplicates %d (at most %d)", s.Lost, s.Second, mayRepeat)
	if s.Lost > 0 {
		r.Errorf("%d people got nothing", s.Lost)
	}
	if s.Second > mayRepeat {
		r.Errorf("%d second copies, at most %d are allowed", s.Second, mayRepeat)
	}
	for _, c := range r.Status(id).Coverage.Channels {
		reached := c.Outcomes["accepted"] + c.Outcomes["delivered"] + c.Outcomes["confirmed"]
		if doubts := c.Outcomes["ambiguous"]; s.Kept[c.Kind] < reached || s.Kept[c.Kind] > reached+doubts {
			r.Errorf("%s: the gateway says %d were reached and %d are in doubt, the books say %d", c.Kind, reached, doubts, s.Kept[c.Kind])
		}
		if reached == 0 {
			r.Errorf("%s: nobody was reached", c.Kind)
		}
	}
	return s
}

// Copies counts, by address, the messages that were taken and not reported as
// undeliverable.
func (r *Rig) Copies() map[string]int {
	r.Helper()
	copies := map[string]int{}
	entries, err := carrier.ReadBooks(r.CarrierBooks())
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range entries {
		if e.Status == "delivered" {
			copies[e.To]++
		}
	}
	for to, n := range r.secondCopies() {
		copies[to] += n
	}
	var browsers, apps []string
	for _, p := range r.People {
		switch p.Kind {
		case channels.WebPush:
			browsers = append(browsers, p.Address)
		case channels.App:
			apps = append(apps, p.Address)
		default:
		}
	}
	src, err := os.ReadFile(r.PushBooks())
	if err != nil {
		r.Fatal(err)
	}
	for line := range bytes.Lines(src) {
		var e struct {
			Subscription *int  `json:"subscription"`
			Taken        *bool `json:"taken"`
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Subscription == nil || e.Taken != nil && !*e.Taken {
			continue // refused, or cut by a crash and never answered for
		}
		copies[browsers[*e.Subscription]]++
	}
	if r.crowd != nil {
		for e := range r.crowd.Books() {
			copies[apps[e.Install]] += e.Copies
		}
	}
	return copies
}

// Steady finds the counts that a pattern names, line by line, and fails if one
// is lower than the one before it.
func Steady(t testing.TB, pattern, text string) (counts []int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)`+pattern).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if len(counts) > 0 && n < counts[len(counts)-1] {
			t.Errorf("%q runs backwards: %d after %v", pattern, n, counts)
		}
		counts = append(counts, n)
	}
	return counts
}
