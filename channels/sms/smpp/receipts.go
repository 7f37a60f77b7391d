package smpp

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
)

const (
	maxKnown   = 1 << 17 // identifiers kept
	maxEarly   = 1 << 10 // receipts kept that came before the answer that names their message
	maxBatch   = 64      // receipts in one call of the sink
	sinkBudget = 5 * time.Second
)

// tracked is one message under way: its reference, and what became of its
// parts.
type tracked struct {
	ref    string
	taken  int     // parts that the centre has taken
	states []state // of each part; zero while nothing final is known
}

type place struct {
	of   *tracked
	part int
}

// report is what one delivery receipt says.
type report struct {
	id    string
	state state
	code  string
}

// evidence is a receipt on its way to the sink; acknowledge may be nil.
type evidence struct {
	channels.Receipt
	acknowledge func(kept bool)
}

// receipts matches delivery receipts with the messages they are of, and hands
// the evidence to the sink. Identifiers are kept in memory alone.
type receipts struct {
	ctx   context.Context // of the driver
	deps  channels.Deps
	queue chan evidence
	stop  chan struct{}
	end   sync.Once
	done  sync.WaitGroup

	mu     sync.Mutex
	known  map[string]place
	order  ring
	early  map[string]report
	before ring
}

// ring holds the newest names; push returns the one it drops.
type ring struct {
	names []string
	next  int
}

func newReceipts(ctx context.Context, d channels.Deps) *receipts {
	r := &receipts{
		ctx: ctx, deps: d, queue: make(chan evidence, 4*maxBatch), stop: make(chan struct{}),
		known: map[string]place{}, early: map[string]report{},
	}
	r.done.Go(r.run)
	return r
}

func (r *receipts) close() {
	r.end.Do(func() { close(r.stop) })
	r.done.Wait()
}

func (g *ring) push(name string, limit int) (dropped string) {
	if len(g.names) < limit {
		g.names = append(g.names, name)
		return ""
	}
	dropped, g.names[g.next] = g.names[g.next], name
	g.next = (g.next + 1) % limit
	return dropped
}

// enter notes that the centre took a part under an identifier. A late answer,
// which nobody waits for any more, is evidence of its own.
func (r *receipts) enter(id string, t *tracked, part int, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if dropped := r.order.push(id, maxKnown); dropped != "" {
		delete(r.known, dropped)
	}
	r.known[id] = place{t, part}
	t.taken++
	if late && t.taken == len(t.states) {
		r.offer(evidence{Receipt: r.receipt(t.ref, id, channels.Accepted)})
	}
	if rep, ok := r.early[id]; ok {
		delete(r.early, id)
		if receipt, whole := r.settle(t, part, rep); whole {
			r.offer(evidence{Receipt: receipt})
		}
	}
}

// report takes a receipt. When it is queued, acknowledge is called once its
// evidence is in the ledger, or could not be put there; else kept says at once
// whether there is nothing more to ask the centre for.
func (r *receipts) report(rep report, acknowledge func(kept bool)) (queued, kept bool) {
	if _, final := ended[rep.state]; !final {
		return false, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.known[rep.id]
	if !known {
		if dropped := r.before.push(rep.id, maxEarly); dropped != "" {
			delete(r.early, dropped)
		}
		r.early[rep.id] = rep
		return false, true
	}
	receipt, whole := r.settle(at.of, at.part, rep)
	if !whole {
		return false, true
	}
	return r.offer(evidence{receipt, acknowledge}), false
}

// settle notes what became of a part, and returns what that makes of the whole:
// delivered when every part was, failed when none was. Of a text that arrived
// in part no more is said than that the centre took it.
func (r *receipts) settle(t *tracked, part int, rep report) (receipt channels.Receipt, whole bool) {
	t.states[part] = rep.state
	arrived := 0
	for _, s := range t.states {
		if s == 0 {
			return receipt, false
		}
		if ended[s] {
			arrived++
		}
	}
	switch arrived {
	case len(t.states):
		return r.receipt(t.ref, rep.id, channels.Delivered), true
	case 0:
		receipt = r.receipt(t.ref, rep.id, channels.Failed)
		receipt.Fault, receipt.Code = channels.FaultTransient, rep.code
		if rep.state == undeliverable {
			receipt.RetryAfter = unreached
		}
		return receipt, true
	default:
		return receipt, false
	}
}

func (r *receipts) receipt(ref, id string, o channels.Outcome) channels.Receipt {
	return channels.Receipt{Kind: channels.SMS, Ref: ref, Outcome: o, ProviderRef: id, At: r.deps.Now()}
}

// offer never waits: what finds the queue full is asked for again.
func (r *receipts) offer(e evidence) bool {
	select {
	case r.queue <- e:
		return true
	default:
		return false
	}
}

// run hands evidence to the sink, several receipts at a time when they come
// fast, until close.
func (r *receipts) run() {
	for {
		var batch []evidence
		select {
		case <-r.stop:
			return
		case e := <-r.queue:
			batch = append(batch, e)
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case e := <-r.queue:
				batch = append(batch, e)
			default:
				more = false
			}
		}
		kept := r.hand(batch)
		for _, e := range batch {
			if e.acknowledge != nil {
				e.acknowledge(kept)
			}
		}
	}
}

func (r *receipts) hand(batch []evidence) (kept bool) {
	all := make([]channels.Receipt, len(batch))
	for i, e := range batch {
		all[i] = e.Receipt
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), sinkBudget) // what came before the end is kept
	defer cancel()
	err := r.deps.Sink(ctx, all...)
	return err == nil || errors.Is(err, channels.ErrUnknownRef)
}

var (
	idField   = regexp.MustCompile(`(?i)\bid:([!-~]{1,64})`)
	statField = regexp.MustCompile(`(?i)\bstat:([A-Z]{5,7})`)
	errField  = regexp.MustCompile(`(?i)\berr:([0-9A-Z]{1,3})\b`)
)

// readReport reads a delivery receipt: the optional parameters when the centre
// sends them, else the text (SMPP 3.4, appendix B).
func readReport(d *pdu.DeliverSM) (report, bool) {
	if d.EsmClass&0x3c != data.SM_SMSC_DLV_RCPT_TYPE {
		return report{}, false
	}
	var rep report
	octets, err := d.Message.GetMessageData()
	if err != nil {
		return report{}, false
	}
	text := string(octets)
	first := func(re *regexp.Regexp) string {
		if found := re.FindStringSubmatch(text); found != nil {
			return found[1]
		}
		return ""
	}
	rep.id, rep.state = first(idField), stateNames[strings.ToUpper(first(statField))]
	if f, ok := d.OptionalParameters[pdu.TagReceiptedMessageID]; ok && f.String() != "" {
		rep.id = f.String()
	}
	if f, ok := d.OptionalParameters[pdu.TagMessageStateOption]; ok && len(f.Data) == 1 {
		rep.state = state(f.Data[0])
	}
	rep.code = rep.state.name()
	if code := first(errField); code != "" && strings.Trim(code, "0") != "" {
		rep.code += " " + code
	}
	return rep, rep.id != "" && len(rep.id) <= maxMessageID && rep.code != ""
}
