package gateway

import (
	"context"
	"log/slog"

	"loa/gateway/audit"
	"loa/gateway/desk"
)

// loggedDesk says aloud what people did to alerts, once it is durable: the act,
// the alert and the person's id as the audit has them, and nothing of a text.
type loggedDesk struct {
	desk.Store
	log *slog.Logger
}

// Create stores a draft.
func (d loggedDesk) Create(ctx context.Context, c desk.Case, rec audit.Record) error {
	if err := d.Store.Create(ctx, c, rec); err != nil {
		return err
	}
	d.tell(ctx, c, rec)
	return nil
}

// Apply makes a change durable.
func (d loggedDesk) Apply(ctx context.Context, c desk.Change) error {
	if err := d.Store.Apply(ctx, c); err != nil {
		return err
	}
	d.tell(ctx, c.Case, c.Records...)
	return nil
}

func (d loggedDesk) tell(ctx context.Context, c desk.Case, recs ...audit.Record) {
	for _, r := range recs {
		attrs := []any{"act", r.Act, "object", r.Object, "person", r.Actor}
		if rev := c.Submission.Revision; rev != nil && r.Object == "alert/"+string(c.ID) {
			attrs = append(attrs, "code", rev.Code, "status", string(rev.Status), "state", string(c.State), "communes", len(c.Submission.Communes))
		}
		d.log.InfoContext(ctx, "an act on an alert", attrs...)
	}
}
