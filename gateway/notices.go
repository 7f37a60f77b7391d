package gateway

import (
	"context"
	"sync"
	"time"

	"loa/gateway/coverage"
	"loa/gateway/delivery"
)

// noticeBound is how long a worker waits until a notice is durable.
const noticeBound = 2 * time.Second

// keptNotices remembers which notices are in the ledger.
type keptNotices struct {
	mu   sync.Mutex
	kept map[keptNotice]bool
}

type keptNotice struct {
	batch delivery.BatchID
	code  string
}

// maxKept bounds what is remembered: storing a notice again changes nothing.
const maxKept = 4096

func (k *keptNotices) has(n keptNotice) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[n]
}

func (k *keptNotices) add(n keptNotice) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= maxKept {
		k.kept = make(map[keptNotice]bool)
	}
	k.kept[n] = true
}

// keepNotice stores for people that a batch, or a part of it, is not sent. What
// dispatch does not send it stores itself.
func (g *Gateway) keepNotice(batch delivery.BatchID, code, text string) {
	n := keptNotice{batch, code}
	if g.kept.has(n) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeBound) //nolint:forbidigo // whoever refused does not wait for a caller
	defer cancel()
	if err := g.ledger.NoteBatch(ctx, batch, coverage.Notice{Code: code, Text: text, At: g.now()}); err != nil {
		g.log.ErrorContext(ctx, "a notice could not be stored", "batch", int64(batch), "code", code, "err", err)
		return
	}
	g.kept.add(n)
}
