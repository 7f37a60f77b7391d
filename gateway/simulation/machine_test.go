package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
)

// deed is one thing that is done; its numbers choose whom and what it is about.
type deed struct {
	What  string
	Which int
	Who   string
	N     int
}

func (d deed) String() string { return fmt.Sprintf("%s(%d, %s, %d)", d.What, d.Which, d.Who, d.N) }

var everyState = []alert.State{alert.Drafted, alert.Submitted, alert.Returned, alert.Rejected, alert.Approved, alert.Stopped, alert.Superseded, alert.Ended}

// deeds begin with nothing, which is what a deed shrinks to.
var deeds = []string{"", "issue", "issue", "issue", "create", "create", "edit", "submit", "submit", "approve", "approve", "return", "reject", "stop", "correct", "update", "all-clear",
	"expire", "crash", "wipe", "step", "pass", "pass", "drive"}

func drawDeed(rt *rapid.T) deed {
	return deed{rapid.SampledFrom(deeds).Draw(rt, "what"), rapid.IntRange(0, 12).Draw(rt, "which"),
		rapid.SampledFrom([]string{"an", "binh", "chi", "dung"}).Draw(rt, "who"), rapid.IntRange(0, 9).Draw(rt, "n")}
}

// machine does deeds to the gateway and to the model, and compares them.
type machine struct {
	w       *world
	p       *process
	m       *model
	crashes int
	wrong   []string
}

// TestStateMachine does up to a hundred deeds a run; -rapid.checks says how
// many runs.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(drawDeed), 60, 100).Draw(rt, "deeds")
		list = slices.DeleteFunc(list, func(d deed) bool { return d.What == "" })
		seed := rapid.Uint64().Draw(rt, "seed")
		folder, people := copyTemplate(t)
		var wrong []string
		synctest.Test(t, func(*testing.T) {
			k := &machine{w: newWorld(seed, folder, people), m: &model{}}
			wrong = k.run(list)
		})
		if len(wrong) > 0 {
			rt.Fatalf("%v:\n%s", list, strings.Join(wrong, "\n"))
		}
	})
}

func (k *machine) run(list []deed) []string {
	k.w.byHand = true
	for _, c := range k.w.carriers {
		c.set(weather{takes: 100 * time.Millisecond, callback: 30})
	}
	k.p = k.w.open(1, false)
	for i, d := range list {
		k.do(d)
		time.Sleep(time.Second) // acts of the same second have names in no order
		if k.compare(); len(k.wrong) > 0 {
			k.wrong = append(k.wrong, fmt.Sprintf("after %d deeds, the last is %v", i+1, d))
			break
		}
	}
	k.w.settle(k.p)
	if len(k.wrong) == 0 {
		k.received()
		k.wrong = append(k.wrong, k.w.judge()...)
	}
	return k.wrong
}

func (k *machine) fault(format string, args ...any) {
	k.wrong = append(k.wrong, fmt.Sprintf(format, args...))
}

// draft is the text that a deed's number stands for, by the wall clock.
func (k *machine) draft(n int) (in desk.DraftInput, grave bool, communes []area.Code) {
	grave = n%2 == 0
	severity := alert.Minor
	if grave {
		severity = alert.Extreme
	}
	communes = [][]area.Code{{"22101"}, {"22101", "22102"}, {"22101", "22102", "31101"}, {"31101"}, {"22102"}}[n/2]
	life := []time.Duration{10 * time.Minute, time.Hour, 6 * time.Minute, 4 * time.Minute, 2 * time.Hour}[n/2]
	return desk.DraftInput{Status: alert.Actual, Infos: []alert.Info{k.w.text(k.w.dice.of("text"), severity, life, communes)}}, grave, communes
}

// do does a deed to both; each must find it lawful, or neither.
func (k *machine) do(d deed) {
	if len(k.m.alerts) > 12 && (d.What == "create" || d.What == "issue") {
		return // enough for the rest to be about
	}
	ctx, who, now := context.Background(), channels.Secret(d.Who), k.w.wall()
	if d.What == "issue" {
		k.issue(d)
		return
	}
	var a *told
	if len(k.m.alerts) > 0 {
		a = k.m.alerts[d.Which%len(k.m.alerts)]
	}
	in, grave, communes := k.draft(d.N)
	expires := in.Infos[0].Expires
	lawful, err := true, error(nil)
	switch {
	case d.What == "create":
		var c *desk.Case
		if c, err = k.p.desk.Draft(ctx, who, in); err == nil {
			k.m.create(c.ID, d.Who, grave, communes, expires)
		}
	case k.outside(d):
		return
	case a == nil:
		return
	case d.What == "edit":
		lawful = a.edit(d.Who, grave, communes, expires)
		_, err = k.p.desk.Edit(ctx, who, a.id, in)
	case d.What == "submit":
		lawful = a.submit(d.Who, now)
		_, err = k.p.desk.Submit(ctx, who, a.id)
	case d.What == "approve":
		c, e := k.p.desk.Status(ctx, who, a.id)
		if e != nil {
			k.fault("%v: %v", d, e)
			return
		}
		if a.state == alert.Approved {
			return // whether it was the same person decides; the desk's own tests have it
		}
		lawful = a.approve(d.Who, now)
		_, err = k.p.desk.Approve(ctx, who, a.id, c.Hash, "")
	case d.What == "return":
		lawful = a.back(d.Who, alert.Returned)
		_, err = k.p.desk.Return(ctx, who, a.id, "Sai")
	case d.What == "reject":
		lawful = a.back(d.Who, alert.Rejected)
		_, err = k.p.desk.Reject(ctx, who, a.id, "Sai")
	case d.What == "stop" || d.What == "correct":
		lawful, err = k.takeBack(d, a, now)
	default:
		if d.What == "all-clear" {
			in.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
		}
		var c *desk.Case
		lawful = a.updatable(d.Who)
		if c, err = k.p.desk.Update(ctx, who, a.id, in); err == nil {
			k.m.update(a, c.ID, d.Who, grave, communes, expires)
		}
	}
	if lawful != (err == nil) {
		k.fault("%v of alert %d: lawful %v, but the desk says %v", d, d.Which, lawful, err)
	}
}

// issue is a draft, its submission and its approval, by two who may.
func (k *machine) issue(d deed) {
	at := len(k.m.alerts)
	for _, step := range []deed{{"create", at, "an", d.N}, {"submit", at, "an", d.N}, {"approve", at, "binh", d.N}} {
		k.do(step)
	}
}

// takeBack stops or corrects. The text is the same each time.
func (k *machine) takeBack(d deed, a *told, now time.Time) (lawful bool, err error) {
	text := k.w.text(k.w.dice.of("take back", d.Which), alert.Minor, 0, nil)
	text.Expires, text.Headline = time.Time{}, "Rút lại"
	before := len(k.m.alerts)
	var made alert.ID
	if d.What == "stop" {
		lawful = k.m.stop(a, d.Who, now)
		_, err = k.p.desk.Stop(context.Background(), channels.Secret(d.Who), a.id, desk.StopInput{Reason: "Nhầm", Notice: []alert.Info{text}})
	} else {
		var c *desk.Case
		lawful = k.m.correct(a, d.Who, now)
		c, err = k.p.desk.Correct(context.Background(), channels.Secret(d.Who), a.id, desk.CorrectInput{Reason: "Sai", Infos: []alert.Info{text}})
		if err == nil {
			made = c.ID
		}
	}
	if len(k.m.alerts) > before && err == nil {
		t := k.m.alerts[before]
		if t.id = made; made == "" {
			t.id = k.noticeOf(a.id)
		}
	}
	return lawful, err
}

// noticeOf finds the notice of a stop.
func (k *machine) noticeOf(id alert.ID) alert.ID {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	for n, c := range k.w.cases {
		if r := c.Submission.Replaces; r != nil && r.Alert == id && c.Submission.Cause == "stopped" {
			return n
		}
	}
	return ""
}

// outside does what no person does.
func (k *machine) outside(d deed) bool {
	switch d.What {
	case "expire":
		k.m.expire(k.w.wall())
		if _, err := k.p.desk.Expire(context.Background()); err != nil {
			k.fault("expire: %v", err)
		}
	case "crash":
		k.crashes++
		k.p.crash()
		k.p = k.w.again(k.p, time.Duration(d.N)*time.Second, 1+d.N%2, false)
	case "wipe":
		if k.w.belt != nil {
			k.w.belt.forget()
		}
	case "step":
		k.w.step([]time.Duration{time.Minute, -time.Minute, 5 * time.Minute, -10 * time.Second, 20 * time.Minute}[d.N/2])
	case "pass":
		time.Sleep([]time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 3 * time.Minute}[d.N/2])
	case "drive":
		c := k.w.carriers[d.N%len(k.w.carriers)]
		c.set(weather{takes: time.Duration(1+d.N) * 300 * time.Millisecond, throttled: 5 * d.N, callback: 30})
	default:
		return false
	}
	return true
}

// compare holds every alert against the model's.
func (k *machine) compare() {
	ctx, now := context.Background(), k.w.wall()
	for i, a := range k.m.alerts {
		c, err := k.p.desk.Status(ctx, "an", a.id)
		if err != nil || c.State != a.state {
			k.fault("alert %d is %s, the ledger says %v, %v", i, a.state, c, err)
			continue
		}
		dead, err := k.p.ledger.Delivery().Dead(ctx, now, []alert.ID{a.id})
		if err != nil || (len(dead) == 0) != a.live(now) {
			k.fault("alert %d: may be sent %v, the ledger says dead %v, %v", i, a.live(now), dead, err)
		}
	}
	cases, err := k.p.ledger.Desk().Cases(ctx, everyState, 0)
	if err != nil || len(cases) != len(k.m.alerts) {
		k.fault("%d alerts, the ledger has %d, %v", len(k.m.alerts), len(cases), err)
	}
}

// received compares who got what with who must have.
func (k *machine) received() {
	copies := map[alert.ID]map[int64]int{}
	for _, c := range k.w.carriers {
		for _, t := range c.taken {
			id := alert.ID(t.msg.Alert)
			if copies[id] == nil {
				copies[id] = map[int64]int{}
			}
			copies[id][idOf(t.msg.To)]++
		}
	}
	now := k.w.wall()
	for i, a := range k.m.alerts {
		doubtful := k.w.inDoubt[a.id] // a crash left open whether they got it
		for id, cell := range k.w.people {
			n, must := copies[a.id][id], a.live(now) && a.of == nil && slices.Contains(a.communes, cell.Commune)
			if a.reached && a.live(now) && a.of.of == nil {
				must = copies[a.of.id][id] > 0
			}
			switch {
			case bad(id) || doubtful[id] && n < 2:
			case !a.approved && n > 0:
				k.fault("alert %d was never approved, and %d got it", i, id)
			case n > 1 && (k.crashes == 0 || n > 2):
				k.fault("alert %d: %d got %d copies", i, id, n)
			case must && n == 0:
				k.fault("alert %d: %d did not get it", i, id)
			case n > 0 && !slices.Contains(a.communes, cell.Commune):
				k.fault("alert %d: %d got it, who lives in %s", i, id, cell.Commune)
			}
		}
	}
}
