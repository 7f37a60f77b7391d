package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"loa/gateway/audit"
	"loa/gateway/config"
	"loa/gateway/ledger"
)

// RecordKey is what "GET /api/v1/audit/key" on the socket answers.
type RecordKey struct {
	Verifier string `json:"verifier"`
}

// SignedCheckpoint is what "GET /api/v1/audit/checkpoint" on the socket answers.
type SignedCheckpoint struct {
	Checkpoint string `json:"checkpoint"` // a signed note
}

// VerifyRecord is what "POST /api/v1/audit/verify" on the socket takes.
type VerifyRecord struct {
	Checkpoints []string `json:"checkpoints"`
	Keys        []string `json:"keys"` // verifier keys that were kept elsewhere
}

// RecordLine is one record as it is listed.
type RecordLine struct {
	Seq    int64           `json:"seq"`
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor"`
	Act    string          `json:"act"`
	Object string          `json:"object"`
	Detail json.RawMessage `json:"detail,omitempty"`
	Hash   string          `json:"hash"`
}

// RecordPage is what "GET /api/v1/audit" on the socket answers.
type RecordPage struct {
	Records []RecordLine `json:"records"`
	Last    int64        `json:"last"` // number of the last record there was
}

// maxVerify bounds a request to verify, in bytes.
const maxVerify = 4 << 20

func (g *Gateway) openRecord(ctx context.Context, k keys) error {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	g.recordKey, err = audit.NewKey(s.Ledger, k.audit)
	return err
}

// Checkpoint signs how far the record has come.
func (g *Gateway) Checkpoint(ctx context.Context) (string, error) {
	_, head, err := g.ledger.AuditPage(ctx, math.MaxInt64, 1)
	if err != nil {
		return "", err
	}
	if head == nil {
		return "", errors.New(`the end of the record that the ledger keeps was deleted: run "loa audit verify"`)
	}
	return audit.Checkpoint{Head: *head, At: g.now()}.Sign(g.recordKey)
}

// Verify holds the whole record against itself and against checkpoints.
func (g *Gateway) Verify(ctx context.Context, in VerifyRecord) (audit.Report, error) {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	w := audit.NewWalk(s.Ledger, in.Checkpoints)
	head, err := g.ledger.Walk(ctx, w)
	if err != nil {
		return audit.Report{}, err
	}
	return w.End(head, append([]string{g.recordKey.Verifier()}, in.Keys...))
}

// VerifyFile is Verify for a backup, or another file of SQLite that no process
// has open. Without the configured key only the keys that are given count.
func VerifyFile(ctx context.Context, cfg *config.Config, file string, in VerifyRecord) (audit.Report, error) {
	verifiers := in.Keys
	k, noKey := configuredKeys(cfg)
	if noKey != nil && len(in.Checkpoints) > 0 && len(in.Keys) == 0 {
		return audit.Report{}, fmt.Errorf("checkpoints need a key: %w, or give the verifier key", noKey)
	}
	var bad error
	w, head, err := ledger.WalkFile(ctx, file, func(name string) *audit.Walk {
		if noKey == nil {
			var own audit.Key
			if own, bad = audit.NewKey(name, k.audit); bad == nil {
				verifiers = append([]string{own.Verifier()}, in.Keys...)
			}
		}
		return audit.NewWalk(name, in.Checkpoints)
	})
	if err := errors.Join(err, bad); err != nil {
		return audit.Report{}, err
	}
	return w.End(head, verifiers)
}

// recordHandlers adds the acts on the record. They are for the owner of the
// machine.
func (g *Gateway) recordHandlers(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/audit/key", answerWith(func(*http.Request) (any, error) {
		return RecordKey{g.recordKey.Verifier()}, nil
	}))
	mux.HandleFunc("GET /api/v1/audit/checkpoint", answerWith(func(r *http.Request) (any, error) {
		text, err := g.Checkpoint(r.Context())
		return SignedCheckpoint{text}, err
	}))
	mux.HandleFunc("POST /api/v1/audit/verify", answerWith(func(r *http.Request) (any, error) {
		var in VerifyRecord
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxVerify)).Decode(&in); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		return g.Verify(r.Context(), in)
	}))
	mux.HandleFunc("GET /api/v1/audit", answerWith(g.listRecord))
}

// listRecord answers a page of records, from the one after the number in the
// query. Names of people stand in them: that somebody reads them is recorded
// before they are given out.
func (g *Gateway) listRecord(r *http.Request) (any, error) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return nil, errors.New("after: a record's number is expected")
	}
	recs, head, err := g.ledger.AuditPage(r.Context(), after, recordPage)
	if err != nil {
		return nil, err
	}
	if err := g.ledger.Seal(r.Context(), audit.Record{
		At: g.now(), Actor: "system", Act: "audit.read", Object: "ledger/record", Detail: fmt.Sprintf(`{"after":%d}`, after),
	}); err != nil {
		return nil, err
	}
	page := RecordPage{Records: make([]RecordLine, len(recs))}
	for i, rec := range recs {
		page.Records[i] = lineOf(rec)
		page.Last = rec.Seq
	}
	if head != nil {
		page.Last = head.Seq
	}
	return page, nil
}

// recordPage is how many records are listed at once.
const recordPage = 500

func lineOf(r audit.Record) RecordLine {
	l := RecordLine{Seq: r.Seq, At: r.At.In(readers), Actor: r.Actor, Act: r.Act, Object: r.Object, Hash: r.Hash.String()}
	switch {
	case json.Valid([]byte(r.Detail)):
		l.Detail = json.RawMessage(r.Detail)
	case r.Detail != "":
		l.Detail, _ = json.Marshal(r.Detail)
	}
	return l
}
