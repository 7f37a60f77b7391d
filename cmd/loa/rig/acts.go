package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"loa/gateway/historytest"
	"loa/gateway/web/api"
)

// Halt stops an alert (Dừng) and returns when the stop was acknowledged, on the
// machine's monotonic clock.
func (r *Rig) Halt(id string) int64 {
	r.Helper()
	return r.halt(id, "")
}

// HaltForGood is Halt for an alert that is right, and that nobody corrects.
func (r *Rig) HaltForGood(id string) {
	r.Helper()
	r.halt(id, historytest.ForGood)
}

func (r *Rig) halt(id, reason string) int64 {
	r.Helper()
	err := r.called("stop", id, func() error {
		_, err := r.alive().TryLoa(r.tokens[1], "", "alert", "stop", id, "--reason", "thử dừng")
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	at := historytest.Monotonic()
	r.acted(historytest.Event{T: at, Kind: historytest.KindCancel, Alert: id, Revision: 1, Reason: reason})
	return at
}

const correction = `reason: phát nhầm
infos:
  - language: vi-VN
    template: any.correction_false
    slots: {old_code: %s, old_at: %q, hazard: "storm:3"}
    severity: Minor
`

// Correct corrects an alert (Đính chính) and returns the correction's
// identifier.
func (r *Rig) Correct(id string) string {
	r.Helper()
	a := r.Status(id)
	text := fmt.Sprintf(correction, a.Code, issuedAt(a))
	by := idForm.FindString(r.alive().Loa(r.tokens[1], text, "alert", "correct", id, "-"))
	if by == "" {
		r.Fatal("the correction has no id")
	}
	return by
}

// issuedAt is when the alert's text was submitted, which is when it says that it
// was issued.
func issuedAt(a api.Alert) string {
	if len(a.Signatures) == 0 {
		return ""
	}
	return a.Signatures[0].At.Format(time.RFC3339)
}

// FinishSome waits until an alert that was stopped, or that goes to some people
// alone, has nobody open any more, and returns how many each channel reached.
func (r *Rig) FinishSome(id string, within time.Duration) map[string]int {
	r.Helper()
	var n tally
	Eventually(r, within, "the alert to end", func() (bool, string) {
		var err error
		if n, err = r.tally(id); err != nil {
			return false, err.Error()
		}
		return n.open == 0, fmt.Sprintf("%d open: %+v", n.open, n.channels)
	})
	return n.reached
}

// AwaitApps waits until every app shows each of the alerts; one that was away
// when an alert went out learns of it when it is back.
func (r *Rig) AwaitApps(ids ...string) {
	r.Helper()
	Eventually(r, time.Minute, "the apps to show all alerts", func() (bool, string) {
		shown := 0
		for e := range r.crowd.Books() {
			if slices.Contains(ids, e.Alert) {
				shown++
			}
		}
		return shown >= len(ids)*r.Apps(), fmt.Sprintf("%d of %d", shown, len(ids)*r.Apps())
	})
}

// Ask sends an approval straight to a node and returns the status of its
// answer, 0 if there was none. It never fails the test.
func (r *Rig) Ask(ctx context.Context, n *Node, id, hash string) (status int) {
	return r.ask(ctx, n, "approve", id, map[string]string{"hash": hash})
}

// AskStop is Ask for a stop.
func (r *Rig) AskStop(ctx context.Context, n *Node, id string) (status int) {
	status = r.ask(ctx, n, "stop", id, map[string]string{"reason": "thử dừng"})
	if status/100 == 2 {
		r.acted(historytest.Event{T: historytest.Monotonic(), Kind: historytest.KindCancel, Alert: id, Revision: 1})
	}
	return status
}

func (r *Rig) ask(ctx context.Context, n *Node, op, id string, in any) (status int) {
	_ = r.called(op, id, func() error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Listen+"/api/v1/alerts/"+id+"/"+op, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+r.tokens[1])
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", op+"-"+id)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if status = resp.StatusCode; status/100 != 2 {
			return fmt.Errorf("the gateway answered %s", resp.Status)
		}
		return nil
	})
	return status
}

// work is what a node had in hand at a moment.
type work struct {
	open  int  // recipients marked and not settled
	going bool // others of the batch were still to be sent to
}

// DraftAtOnce sends the same draft several times at once, under one idempotency
// key, and returns the different alerts that came of it.
func (r *Rig) DraftAtOnce(times int, key string) []string {
	r.Helper()
	n := r.alive()
	draft := n.Loa(r.tokens[0], "", "alert", "example")
	said := make(chan string, times)
	for range times {
		go func() {
			out, err := n.TryLoa(r.tokens[0], draft, "alert", "draft", "-", "--key", key)
			if err != nil {
				out = ""
			}
			said <- idForm.FindString(out)
		}()
	}
	var ids []string
	for range times {
		if id := <-said; id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// held is a node's work by batch. What it had marked in an earlier life, and
// whoever has claimed since, is not its own any more.
func (r *Rig) held(node string, at int64) map[int64]*work {
	r.Helper()
	type key struct {
		batch   int64
		index   int
		attempt uint8
	}
	marked, settled, begun := map[key]int64{}, map[key]bool{}, map[key]bool{}
	sizes, claimed := map[int64]int{}, map[int64]int64{}
	for e, err := range historytest.ReadDir(r.records) {
		if err != nil {
			r.Fatal(err)
		}
		switch {
		case e.T > at:
		case e.Kind == historytest.KindBatch:
			sizes[e.Batch] = len(e.IDs)
		case e.Kind == historytest.KindClaim:
			claimed[e.Batch] = max(claimed[e.Batch], e.T)
		case e.Kind == historytest.KindMark:
			for _, i := range e.Indexes {
				begun[key{e.Batch, i, 0}] = true
				if e.Node == node {
					marked[key{e.Batch, i, e.Attempt}] = e.T
				}
			}
		case e.Kind == historytest.KindOutcome && e.Node == node:
			for _, i := range e.Indexes {
				settled[key{e.Batch, i, e.Attempt}] = true
			}
		}
	}
	open := map[key]bool{}
	for k, t := range marked {
		if !settled[k] && t >= claimed[k.batch] {
			open[k] = true
		}
	}
	batches := map[int64]*work{}
	for k := range open {
		if batches[k.batch] == nil {
			batches[k.batch] = &work{}
		}
		batches[k.batch].open++
	}
	for k := range begun {
		sizes[k.batch]--
	}
	for id, w := range batches {
		w.going = sizes[id] > 0
	}
	return batches
}

// Open is how many recipients a node had marked as being sent to, and not
// settled, at a moment of the machine's monotonic clock.
func (r *Rig) Open(n *Node, at int64) int {
	r.Helper()
	sum := 0
	for _, w := range r.held(n.Name, at) {
		sum += w.open
	}
	return sum
}

// AwaitTakeover waits until every batch that a node was in the middle of at a
// moment has been claimed anew, the last at most within after the moment, and
// returns how many batches that were and how long it took.
func (r *Rig) AwaitTakeover(n *Node, at int64, within time.Duration) (batches int, longest time.Duration) {
	r.Helper()
	held := r.held(n.Name, at)
	for id, w := range held {
		if !w.going {
			delete(held, id) // only doubts are left, which wait for an answer of their own
		}
	}
	batches = len(held)
	next := time.Now()
	Eventually(r, within+5*time.Second, "what "+n.Name+" held to be taken over", func() (bool, string) {
		if time.Now().Before(next) {
			return false, "not looked yet"
		}
		next = time.Now().Add(300 * time.Millisecond)
		for e, err := range historytest.ReadDir(r.records) {
			if err != nil {
				return false, err.Error()
			}
			if _, ok := held[e.Batch]; ok && e.Kind == historytest.KindClaim && e.T > at {
				longest = max(longest, time.Duration(e.T-at))
				delete(held, e.Batch)
			}
		}
		return len(held) == 0, fmt.Sprintf("%d batches of %d are not", len(held), batches)
	})
	if longest > within {
		r.Errorf("a batch that %s held was taken over after %v, want %v", n.Name, longest, within)
	}
	return batches, longest
}

// Records visits what the gateways have recorded so far.
func (r *Rig) Records(visit func(historytest.Event)) {
	r.Helper()
	for e, err := range historytest.ReadDir(r.records) {
		if err != nil {
			r.Fatal(err)
		}
		visit(e)
	}
}

// Recorded is how many events of a kind that match stand in the records.
func (r *Rig) Recorded(match func(historytest.Event) bool) int {
	r.Helper()
	n := 0
	for e, err := range historytest.ReadDir(r.records) {
		if err != nil {
			r.Fatal(err)
		}
		if match(e) {
			n++
		}
	}
	return n
}
