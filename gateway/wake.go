package gateway

import (
	"context"
	"time"

	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/queue"
)

// wakeBound is how long the other nodes are waited for. They find out from the
// ledger anyway.
const wakeBound = time.Second

// stored hastens the requests that the desk has just stored, here and on the
// other nodes.
func (g *Gateway) stored() {
	g.dispatcher.Wake()
	g.hasten()
	g.tell(queue.Wake{Topic: queue.TopicWork})
}

// ended stops the sends of alerts whose end the desk has just stored.
func (g *Gateway) ended(ids ...alert.ID) {
	for _, id := range ids {
		g.Engine.StopAlert(id)
		g.tell(queue.Wake{Topic: queue.TopicEnded, ID: string(id)})
	}
}

// tell leaves a word for the other nodes. It never waits: when nobody carries
// words away, or too many wait, the ledger tells the others a moment later.
func (g *Gateway) tell(w queue.Wake) {
	select {
	case g.words <- w:
	default:
	}
}

// carry brings the words to the other nodes.
func (g *Gateway) carry(ctx context.Context) error {
	if g.queue == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-g.words:
			bound, cancel := context.WithTimeout(ctx, wakeBound)
			if err := g.queue.Wake(bound, w); err != nil && ctx.Err() == nil {
				g.log.WarnContext(ctx, "other nodes cannot be woken", "topic", w.Topic, "err", err)
			}
			cancel()
		}
	}
}

// listen hears the other nodes. What they say is never taken at their word:
// the ledger decides whether an alert has ended.
func (g *Gateway) listen(ctx context.Context) error {
	if g.queue == nil {
		return nil
	}
	g.queue.Listen(ctx, func(w queue.Wake) {
		switch w.Topic {
		case queue.TopicWork:
			g.dispatcher.Wake()
			g.hasten()
		case queue.TopicEnded:
			dead, err := g.ledger.Delivery().Dead(ctx, g.now(), []alert.ID{alert.ID(w.ID)})
			if err != nil {
				return
			}
			for _, id := range dead {
				g.Engine.StopAlert(id)
			}
		}
	})
	return nil
}

// contentRefused says aloud that a provider takes a text of an alert from
// nobody: people on that channel hear nothing until the text is registered.
func (g *Gateway) contentRefused(r delivery.ContentRefusal) {
	g.keepNotice(r.Batch, "content/"+r.Code, "")
	g.noteContent(r)
	g.log.Error("a provider refuses the text of an alert", "alert", string(r.Alert), "revision", r.Revision, "channel", string(r.Kind), "code", r.Code, "batch", int64(r.Batch))
}
