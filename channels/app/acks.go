package app

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"loa/channels"
)

const (
	ackQueue   = 4096 // acknowledgements waiting for the sink
	ackBatch   = 512  // handed over in one call
	ackPause   = 100 * time.Millisecond
	ackPauseUp = 5 * time.Second
	ackLast    = 2 * time.Second // for what is waiting when the hub stops
	maxAlertID = 256             // bytes

	// A listener may be shown an alert before the core has it ready for
	// acknowledgements: those of an alert that is unknown are kept a while.
	earlyAgain = time.Second
	earlyTries = 10
)

// acks hand verified acknowledgements to the core in batches, and answer each
// once it is durable. When the core cannot keep up they are dropped without an
// answer, and the client sends them again after its next hello.
type acks struct {
	hub   *Hub
	queue chan ack
	early []ack // of alerts that the core does not know yet; run's own
}

type ack struct {
	from    *conn
	stage   string
	tries   uint8
	receipt channels.Receipt
}

func newAcks(h *Hub) *acks { return &acks{hub: h, queue: make(chan ack, ackQueue)} }

// take checks an acknowledgement; it names the rule that a wrong one breaks.
func (a *acks) take(c *conn, in *clientFrame) string {
	outcome := channels.Delivered
	switch {
	case c.install == nil:
		return "ack: only a listener that named its install can acknowledge"
	case in.Alert == "" || len(in.Alert) > maxAlertID || in.Revision < 1:
		return "ack: alert and revision must name a message"
	case in.Stage == "confirmed":
		outcome = channels.Confirmed
	case in.Stage != "delivered":
		return "ack: stage must be delivered or confirmed"
	}
	sig, err := base64.RawURLEncoding.DecodeString(in.Sig)
	if err != nil || !ed25519.Verify(c.install, AckBytes(in.Alert, in.Revision, in.Stage), sig) {
		return "ack: signature does not verify"
	}
	r := channels.Receipt{
		Kind: channels.App, Alert: in.Alert, Revision: in.Revision, Outcome: outcome, At: a.hub.deps.Now(),
		From: channels.Address(base64.RawURLEncoding.EncodeToString(c.install)),
	}
	select {
	case a.queue <- ack{from: c, stage: in.Stage, receipt: r}:
	default:
		a.hub.did.acksDropped.Add(1)
	}
	return ""
}

func (a *acks) run() {
	done := a.hub.ctx.Done()
	again := time.NewTicker(earlyAgain)
	defer again.Stop()
	for {
		select {
		case first := <-a.queue:
			a.hand(a.hub.ctx, a.gather(first))
		case <-again.C:
			for batch := range slices.Chunk(a.takeEarly(), ackBatch) {
				a.hand(a.hub.ctx, batch)
			}
		case <-done:
			ctx, cancel := context.WithTimeout(context.WithoutCancel(a.hub.ctx), ackLast)
			defer cancel()
			for len(a.queue) > 0 && ctx.Err() == nil {
				a.hand(ctx, a.gather(<-a.queue))
			}
			return
		}
	}
}

// keep has an acknowledgement of something unknown tried again. Forged ones
// crowd out nobody's but each other's.
func (a *acks) keep(one ack) {
	if one.tries++; one.tries <= earlyTries && len(a.early) < ackQueue {
		a.early = append(a.early, one)
		return
	}
	a.hub.did.acksDropped.Add(1)
}

func (a *acks) takeEarly() []ack {
	batch := a.early
	a.early = nil
	return batch
}

// gather takes what is waiting, without waiting for more.
func (a *acks) gather(first ack) []ack {
	batch := []ack{first}
	for len(batch) < ackBatch {
		select {
		case next := <-a.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// hand gives a batch to the core until it is durable or ctx ends.
func (a *acks) hand(ctx context.Context, batch []ack) {
	receipts := make([]channels.Receipt, len(batch))
	for i, b := range batch {
		receipts[i] = b.receipt
	}
	for pause := ackPause; ; pause = min(2*pause, ackPauseUp) {
		err := a.hub.deps.Sink(ctx, receipts...)
		switch {
		case err == nil:
			a.hub.did.acksStored.Add(int64(len(batch)))
			for _, b := range batch {
				b.from.acknowledge(b)
			}
			return
		case errors.Is(err, channels.ErrUnknownRef) && len(batch) > 1: // one stranger must not cost the others
			for _, b := range batch {
				a.hand(ctx, []ack{b})
			}
			return
		case errors.Is(err, channels.ErrUnknownRef):
			a.keep(batch[0])
			return
		}
		a.hub.log.Warn("app: acknowledgements cannot be stored yet", "count", len(batch), "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			a.hub.did.acksDropped.Add(int64(len(batch)))
			return
		}
	}
}

type ackedFrame struct {
	Type string `json:"type"`
	reference
	Stage string `json:"stage"`
}

func (c *conn) acknowledge(a ack) {
	text, err := json.Marshal(ackedFrame{"acked", reference{a.receipt.Alert, a.receipt.Revision}, a.stage})
	if err != nil {
		return // three plain fields
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.push(&frame{text: text})
}
