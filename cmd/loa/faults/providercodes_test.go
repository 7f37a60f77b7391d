package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	"loa/channels"
	"loa/channels/sms/standin"
	push "loa/channels/webpush/standin"
	"loa/cmd/loa/rig"
)

// codesMixed has one number in a hundred each meet one of the permanent codes,
// and then a text that the carrier filters.
func codesMixed(r *run) {
	n := r.pick(1000, 3000, 10000)
	const share = 0.01
	codes := map[int]float64{21211: share, 21610: share, 21614: share, 30003: share, 30005: share, 30006: share, 30007: share}
	p := rig.New(r, rig.Options{People: n, RetryAfter: 3 * time.Second})
	p.Nodes[0].Serve()
	p.BreakCarrier(standin.Faults{Codes: codes})
	id := p.Alert()
	bad := func(x rig.Person) bool { return x.Kind == channels.SMS && standin.CodeOf(codes, x.Address, 1) != 0 }
	p.Finish(id, within)
	again := func(x rig.Person) bool {
		code := standin.CodeOf(codes, x.Address, 1)
		return bad(x) && (code == 30003 || code == 30005)
	}
	var calls map[string]int
	rig.Eventually(r, 30*time.Second, "the one retry of phones out of reach", func() (bool, string) {
		calls = map[string]int{}
		for _, e := range p.Messages() {
			calls[e.To]++
		}
		for _, x := range p.Refusals() {
			calls[x.To]++
		}
		for _, x := range p.People {
			if again(x) && calls[x.Address] < 2 {
				return false, ""
			}
		}
		return true, ""
	})
	p.Finish(id, within)
	s := p.CompareBut(id, 0, bad)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	met := map[int]int{}
	for _, x := range p.People {
		if !bad(x) {
			continue
		}
		code, want := standin.CodeOf(codes, x.Address, 1), 1
		if again(x) {
			want = 2
		}
		met[code]++
		if got := calls[x.Address]; got != want {
			r.Errorf("a number with code %d was called %d times, want %d", code, got, want)
		}
	}
	for code := range codes {
		if met[code] == 0 {
			r.Errorf("nobody met code %d", code)
		}
	}
	r.note("numbers that met each code", fmt.Sprint(met))
	if failed := p.Left(id, channels.Failed); failed != sum(met) {
		r.Errorf("%d failed, %d met a code", failed, sum(met))
	}
	r.judge(p)
	textFiltered(r)
}

func sum(m map[int]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// textFiltered has the carrier filter the text to one number in five.
func textFiltered(r *run) {
	n := r.pick(1000, 2000, 10000)
	codes := map[int]float64{30007: 0.2}
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 15, Extra: pages.Extra})
	node := p.Nodes[0]
	node.Serve()
	p.BreakCarrier(standin.Faults{Codes: codes})
	id := p.Alert()
	rig.Eventually(r, time.Minute, "the text to be stopped", func() (bool, string) {
		return node.Metric("loa_delivery_text_stops_total", `kind="sms"`) > 0, node.Ready()
	})
	rig.Eventually(r, time.Minute, "somebody to be paged", func() (bool, string) { return pages.Of("content_refused") })
	stopped := p.TakenBy(p.CarrierBooks())
	r.note("taken when the text was stopped", stopped)
	pending := p.InTheMiddle(id, "the stop of the text")
	p.BreakCarrier(standin.Faults{})
	p.Finish(id, within)
	filtered := map[string]bool{}
	for _, e := range p.Messages() {
		if e.Code == 30007 {
			filtered[e.To] = true
		}
	}
	s := p.CompareBut(id, 0, func(x rig.Person) bool { return filtered[x.Address] })
	r.note("filtered", len(filtered))
	r.note("pending then, reached later", pending)
	r.note("lost to no code", s.Lost)
	r.judge(p)
}

// queueFull offers the carrier more than it sends on, and drops some of what
// waits.
func queueFull(r *run) {
	n := r.pick(800, 1500, 6000)
	const drain, seconds = 40, 4
	p := rig.New(r, rig.Options{People: n, RetryAfter: 3 * time.Second, CarrierArgs: []string{"--drain", fmt.Sprint(drain), "--queue", fmt.Sprint(drain * seconds)}})
	p.Nodes[0].Serve()
	p.BreakCarrier(standin.Faults{Once: map[int]float64{30001: 0.03, 30036: 0.02}})
	id := p.Alert()
	p.Finish(id, within)
	rig.Eventually(r, time.Minute, "what was dropped to be sent again", func() (bool, string) {
		left := p.Left(id, channels.Failed)
		return left == 0, fmt.Sprint(left)
	})
	r.ends(p, id)
	refused, dropped := 0, 0
	for _, x := range p.Refusals() {
		if x.Code == 21611 {
			refused++
		}
	}
	for _, e := range p.Messages() {
		if e.Status != "delivered" {
			dropped++
		}
	}
	deepest := int(p.CarrierStats().Deepest)
	r.note("refused with 21611", refused)
	r.note("dropped from the queue", dropped)
	r.note("deepest backlog, seconds of rate", deepest/drain)
	if refused == 0 && n*6/10 > drain*seconds || dropped == 0 {
		r.Errorf("%d refused, %d dropped", refused, dropped)
	}
	if deepest > 30*drain {
		r.Errorf("%d messages waited at the carrier, more than 30 s of its rate", deepest)
	}
	if refused > n {
		r.Errorf("a full queue was offered %d messages", refused)
	}
	r.judge(p)
}

// pushRefused has subscriptions be gone, missing, too small and throttled, and
// the whole service forbid us for a while.
func pushRefused(r *run) {
	n := r.pick(1000, 3000, 10000)
	p := rig.New(r, rig.Options{People: n, PushArgs: []string{"--gone", "0.2", "--missing", "0.05", "--too-large", "0.02", "--throttled", "0.05", "--unavailable", "0.02"}})
	p.Nodes[0].Serve()
	p.BreakPush(push.Faults{Status: 403, Times: 60})
	fates := map[string]int{}
	counts := map[int]int{}
	i := 0
	service, err := push.New(push.Options{Seed: "loa", Shares: push.Shares{Gone: 0.2, Missing: 0.05, TooLarge: 0.02, Throttled: 0.05, Unavailable: 0.02}})
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	for _, x := range p.People {
		if x.Kind == channels.WebPush {
			fates[x.Address] = service.Fate(i)
			counts[service.Fate(i)]++
			i++
		}
	}
	for _, status := range []int{404, 410, 413, 429, 503} {
		if counts[status] == 0 {
			r.Errorf("no subscription answers %d", status)
		}
	}
	r.note("subscriptions by fate", fmt.Sprint(counts))
	gone := func(x rig.Person) bool { f := fates[x.Address]; return f == 404 || f == 410 || f == 413 }
	id := p.Alert()
	p.Finish(id, within)
	s := p.CompareBut(id, 0, gone)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	refused := p.PushRefused()
	if refused[403] == 0 {
		r.Error("the service forbade nothing")
	}
	r.note("answers that refused", fmt.Sprint(refused))
	if got, want := refused[404]+refused[410], counts[404]+counts[410]; got != want {
		r.Errorf("subscriptions that are gone were called %d times, there are %d", got, want)
	}
	if failed, want := p.Left(id, channels.Failed), counts[404]+counts[410]+counts[413]; failed != want {
		r.Errorf("%d failed, %d cannot be reached", failed, want)
	}
	if refused[413] != counts[413] {
		r.Errorf("too large was answered %d times, %d subscriptions say so", refused[413], counts[413])
	}
	// The next alert: who is gone is not called, everybody else is.
	before := p.Copies()
	second := p.Alert()
	p.FinishSome(second, within)
	p.AwaitApps(second)
	copies, again := p.Copies(), 0
	for _, x := range p.People {
		want := before[x.Address] + 1
		if gone(x) {
			want = 0
		}
		if copies[x.Address] != want {
			r.Errorf("somebody on %s (%d) has %d messages after the second alert, want %d", x.Kind, fates[x.Address], copies[x.Address], want)
		}
		if x.Kind == channels.WebPush && !gone(x) {
			again++
		}
	}
	r.note("subscriptions kept and reached again", again)
	if now := p.PushRefused(); now[404]+now[410] != refused[404]+refused[410] {
		r.Errorf("%d more calls to subscriptions that are gone", now[404]+now[410]-refused[404]-refused[410])
	}
	// The history takes everybody for eligible, those too whom the first alert
	// found gone; who must be reached is counted above.
	r.judgeAs(p, rig.Trial{Unknown: []string{"I1"}})
}

// callbackChaos has the carrier's callbacks come reversed and repeated, and
// sends late, forged and unknown ones besides.
func callbackChaos(r *run) {
	n := r.pick(600, 2000, 10000)
	p := rig.New(r, rig.Options{People: n, CarrierArgs: []string{"--callback-chaos"}})
	node := p.Nodes[0]
	node.Serve()
	p.BreakCarrier(standin.Faults{Codes: map[int]float64{30006: 0.02}})
	bad := func(x rig.Person) bool {
		return x.Kind == channels.SMS && standin.CodeOf(map[int]float64{30006: 0.02}, x.Address, 1) != 0
	}
	id := p.Alert()
	p.Finish(id, within)
	before := p.CompareBut(id, 0, bad)
	failed := p.Left(id, channels.Failed)
	if failed == 0 {
		r.Error("no report of a failure came")
	}
	counts := map[int]int{}
	all := p.Messages()
	for i, e := range all {
		type report struct {
			status string
			code   int
		}
		// What came before the end and the end itself, each again and in an
		// order of its own for every message.
		late := []report{{"queued", 0}, {"sent", 0}, {"sent", 0}, {e.Status, e.Code}, {e.Status, e.Code}}
		rand.New(rand.NewPCG(uint64(i), 45)).Shuffle(len(late), func(a, b int) { late[a], late[b] = late[b], late[a] })
		for _, s := range late {
			counts[p.Callback(e.Ref, e.SID, s.status, s.code, true)]++
		}
		switch i % 2 {
		case 0: // forged: whoever was reached was not
			if got := p.Callback(e.Ref, e.SID, "undelivered", 30006, false); got != 403 {
				r.Errorf("a forged callback was answered %d", got)
			}
		default: // signed by the carrier, of nothing that is ours
			if got := p.Callback(e.Ref[:len(e.Ref)-4]+"AAAA", e.SID, "undelivered", 30006, true); got != 404 {
				r.Errorf("an unknown reference was answered %d", got)
			}
		}
	}
	if len(counts) != 1 || counts[204] == 0 {
		r.Errorf("answers to late and repeated callbacks: %v", counts)
	}
	after := p.CompareBut(id, 0, bad)
	if got := p.Left(id, channels.Failed); got != failed || after.Kept[channels.SMS] != before.Kept[channels.SMS] {
		r.Errorf("%d failed, %d before; %d kept, %d before", got, failed, after.Kept[channels.SMS], before.Kept[channels.SMS])
	}
	r.note("callbacks made by the carrier", p.CarrierStats().Called)
	r.note("late reports, shuffled by message", fmt.Sprintf("%d messages, %d reports", len(all), counts[204]))
	r.note("forged or unknown besides", len(all))
	r.note("lost", after.Lost)
	r.note("duplicates", after.Second)
	r.judge(p)
}
