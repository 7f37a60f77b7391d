package faults

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	smpp "loa/channels/sms/smpp/standin"
	"loa/cmd/loa/rig"
)

// An update goes to everybody as one: an SMS says which message it replaces, a
// push has the first one's topic, and people get one copy of each.
func TestUpdateReplaces(t *testing.T) {
	t.Parallel()
	p := rig.New(t, rig.Options{People: 100})
	p.Nodes[0].Serve()
	first := p.Alert()
	p.Finish(first, within)
	code := p.Status(first).Code
	next := p.Update(first)
	p.FinishSome(next, within)
	texts := map[string]int{}
	for _, e := range p.Messages() {
		switch {
		case strings.Contains(e.Body, "CẬP NHẬT, thay tin mã "+code), strings.Contains(e.Body, "CAP NHAT thay tin ma "+code):
			texts["update"]++
		default:
			texts["first"]++
		}
	}
	if texts["update"] != 60 || texts["first"] != 60 {
		t.Errorf("SMS: %v", texts)
	}
	topics, alerts := map[int]map[string]bool{}, map[string]int{}
	src, err := os.ReadFile(p.PushBooks())
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(src) {
		var e struct {
			Subscription int
			Alert, Topic string
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if topics[e.Subscription] == nil {
			topics[e.Subscription] = map[string]bool{}
		}
		topics[e.Subscription][e.Topic] = true
		alerts[e.Alert]++
	}
	if alerts[first] != 30 || alerts[next] != 30 {
		t.Errorf("pushes: %v", alerts)
	}
	for i, of := range topics {
		if len(of) != 1 {
			t.Fatalf("subscription %d: the update has a topic of its own", i)
		}
	}
	p.AwaitApps(first, next)
}

// A carrier dies, the other takes over, the alert is corrected: the correction
// goes to whoever may have got the alert through either, and to nobody else.
func TestCorrectionAfterFailover(t *testing.T) {
	t.Parallel()
	p := rig.New(t, rig.Options{People: 1000, PerSecond: 40, Second: true})
	p.Nodes[0].Serve()
	id := p.Alert()
	rig.Eventually(t, time.Minute, "both carriers to work", func() (bool, string) {
		return p.TakenBy(p.CarrierBooks()) >= 40, ""
	})
	p.Carrier.Kill()
	before := p.TakenBy(p.SecondBooks())
	rig.Eventually(t, time.Minute, "the second carrier to take over", func() (bool, string) {
		return p.TakenBy(p.SecondBooks()) > before+90, ""
	})
	p.InTheMiddle(id, "the correction")
	by := p.Correct(id)
	p.FinishSome(by, within)
	told, corrected := map[string]bool{}, map[string]bool{}
	for _, e := range p.Messages() {
		told[e.To] = true
	}
	at := map[string]int{} // where the alert stands in the second carrier's books
	for i, m := range smpp.Messages(p.SecondParts()) {
		isCorrection := strings.Contains(m.Text, "ĐÍNH CHÍNH") || strings.Contains(m.Text, "DINH CHINH")
		switch {
		case !m.Whole:
		case !isCorrection:
			told[m.To] = true
			at[m.To] = i
		case corrected[m.To]:
			t.Error("somebody was corrected twice")
		default:
			corrected[m.To] = true
			if i < at[m.To] {
				t.Error("the correction came before the alert")
			}
		}
	}
	missed, needless := 0, 0
	for to := range told {
		if !corrected[to] {
			missed++
		}
	}
	for to := range corrected {
		if !told[to] {
			needless++
		}
	}
	if len(told) == 0 || len(told) >= 600 || missed > 0 || needless > doubts(p) {
		t.Errorf("%d were told, %d of them not corrected; %d corrected who were not told, %d were in doubt", len(told), missed, needless, doubts(p))
	}
}
