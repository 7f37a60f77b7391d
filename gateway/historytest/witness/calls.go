package witness

import (
	"context"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/historytest"
)

// Sender wraps a driver: when each call begins and how it ends.
func (w *Witness) Sender(s channels.Sender) channels.Sender {
	if l, ok := s.(channels.Lookup); ok {
		return asked{sender{s, w}, l}
	}
	return sender{s, w}
}

type sender struct {
	channels.Sender
	w *Witness
}

// asked is a sender whose provider can be asked what it took.
type asked struct {
	sender
	list channels.Lookup
}

// Lookup asks the driver. An embedded interface of that name would hide it.
func (a asked) Lookup(ctx context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	return a.list.Lookup(ctx, m, since)
}

// Send records the call around it.
func (s sender) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	e := historytest.Event{T: historytest.Monotonic(), Kind: historytest.KindRequest, Channel: s.Kind(), Provider: s.Provider(), Live: s.Live(),
		Status: alert.Status(m.Status.String())}
	if ref, err := historytest.ReadRef(m.Ref); err == nil {
		e.Batch, e.Index, e.Attempt = ref.Batch, ref.Index, ref.Attempt
		s.w.begin(&e)
	}
	step := "send " + string(s.Kind())
	s.w.before(step)
	s.w.write(e)
	ack, err := s.Sender.Send(ctx, m)
	s.w.write(answer(e, ack, err))
	s.w.after(step)
	return ack, err
}

// begin completes a request by what was marked.
func (w *Witness) begin(e *historytest.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.holds[delivery.BatchID(e.Batch)]
	if h == nil {
		return
	}
	e.Roster, e.Priority = h.batch.Roster, priority(h.batch.Priority)
	if m, ok := h.marked[e.Index]; ok && m.attempt == e.Attempt {
		e.Fence = m.fence
		delete(h.marked, e.Index)
	}
}

func answer(request historytest.Event, ack channels.Ack, err error) historytest.Event {
	e := historytest.Event{Kind: historytest.KindAnswer, Batch: request.Batch, Index: request.Index, Indexes: request.Indexes, Whole: request.Whole,
		Attempt: request.Attempt, Outcome: ack.Outcome.String()}
	if fault := channels.AsError(err); fault != nil {
		e.Outcome = fault.Fault.String()
	}
	return e
}

// Broadcaster wraps a driver that speaks to all who listen.
func (w *Witness) Broadcaster(b channels.Broadcaster) channels.Broadcaster { return broadcaster{b, w} }

type broadcaster struct {
	channels.Broadcaster
	w *Witness
}

// Broadcast records the call for every recipient it was marked for.
func (b broadcaster) Broadcast(ctx context.Context, m channels.Message, areas []string) (channels.Ack, error) {
	e := historytest.Event{T: historytest.Monotonic(), Kind: historytest.KindRequest, Channel: b.Kind(), Provider: string(b.Kind()), Live: b.Live(),
		Status: alert.Status(m.Status.String())}
	requests := b.w.broadcast(e, m, areas)
	step := "send " + string(b.Kind())
	b.w.before(step)
	b.w.write(requests...)
	ack, err := b.Broadcaster.Broadcast(ctx, m, areas)
	for i := range requests {
		requests[i] = answer(requests[i], ack, err)
	}
	b.w.write(requests...)
	b.w.after(step)
	return ack, err
}

// broadcast finds the batch that a broadcast is for: it carries no reference,
// so it is the one of its alert, language and commune whose marks wait for a
// call. One event is for the recipients of one attempt.
func (w *Witness) broadcast(e historytest.Event, m channels.Message, areas []string) []historytest.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, h := range w.holds {
		b := &h.batch
		if len(h.marked) == 0 || b.Kind != e.Channel || string(b.Alert) != m.Alert || b.Revision != m.Revision || b.Language != m.Language ||
			len(areas) != 1 || areas[0] != string(b.Commune) {
			continue
		}
		e.Batch, e.Roster, e.Priority = int64(id), b.Roster, priority(b.Priority)
		indexes := map[mark][]int{}
		for i, k := range h.marked {
			indexes[k] = append(indexes[k], i)
		}
		clear(h.marked)
		var out []historytest.Event
		for k, list := range indexes {
			e.Attempt, e.Fence, e.Indexes, e.Whole = k.attempt, k.fence, list, false
			if len(list) == len(h.attempts) {
				e.Indexes, e.Whole = nil, true
			}
			out = append(out, e)
		}
		return out
	}
	return nil
}
