package dispatch_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// rehouse gives the nth address another commune and language.
func (h *house) rehouse(t testing.TB, n int, to dispatch.Cell) {
	kind := cells[n%len(cells)].Kind
	e := audience.Sealed{Endpoint: audience.Endpoint{Kind: kind, Commune: to.Commune, Language: to.Language, Basis: audience.Duty}, Cipher: []byte{1}}
	binary.BigEndian.PutUint64(e.Lookup[:], uint64(n+1))
	if _, err := h.ledger.Audience().Add(context.Background(), start, []audience.Sealed{e}); err != nil {
		t.Error(err)
	}
}

// busy is a store and an audience between whose answers people move.
type busy struct {
	dispatch.Store
	mu    sync.Mutex
	moves []func()
	every int
	calls int
	made  int
}

func (b *busy) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.calls%b.every == 0 && len(b.moves) > 0 {
		b.moves[0]()
		b.moves = b.moves[1:]
		b.made++
	}
}

func (b *busy) Already(ctx context.Context, r *dispatch.Request, c dispatch.Cell, ids []int64) ([]int64, error) {
	b.step()
	return b.Store.Already(ctx, r, c, ids)
}

func (b *busy) MovedIDs(ctx context.Context, q audience.Query, after int64, limit int) ([]int64, error) {
	b.step()
	return b.Store.MovedIDs(ctx, q, after, limit)
}

func (b *busy) Cut(ctx context.Context, key string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	b.step()
	return b.Store.Cut(ctx, key, from, to, due, bs)
}

// TestWhoMovesDuringACutIsCutOnce moves people between communes, inside the
// area and out of it, at every moment of a cut: each who was subscribed in the
// area at the approval is cut exactly once.
func TestWhoMovesDuringACutIsCutOnce(t *testing.T) {
	t.Parallel()
	all, inside := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouse(t, 60)
		r := h.approve(func(r *dispatch.Request) { r.Areas = []area.Code{"00001", "00002"} })
		b := &busy{Store: h.ledger.Dispatch(), every: rapid.IntRange(1, 3).Draw(rt, "every")}
		for range rapid.IntRange(1, 8).Draw(rt, "moves") {
			n := rapid.IntRange(0, 47).Draw(rt, "who")
			n += n / 4 // each fifth lives outside the area
			to := dispatch.Cell{
				Commune:  rapid.SampledFrom([]area.Code{"00001", "00002", "00003"}).Draw(rt, "to"),
				Language: rapid.SampledFrom([]string{"vi", "en"}).Draw(rt, "language"),
			}
			b.moves = append(b.moves, func() { h.rehouse(t, n, to) })
		}
		h.work(b, h.idle)
		all += b.made
		inside += h.left(t)
		times := map[int64]int{}
		err := h.ledger.Coverage().Recipients(t.Context(), r.Alert, 1, func(c coverage.Recipient) error {
			times[c.Endpoint]++
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range cells {
			for _, id := range h.ids[c] {
				if want := map[bool]int{true: 1}[c.Commune != "00003"]; times[id] != want {
					rt.Fatalf("endpoint %d of %v was cut %d times, want %d", id, c, times[id], want)
				}
			}
		}
		if err := h.ledger.Close(); err != nil {
			rt.Fatal(err)
		}
	})
	if all == 0 || inside == 0 {
		t.Errorf("%d moved during a cut, out of %d cells of the area", all, inside)
	}
}

// again stores one more request for an approved alert.
func (h *house) again(r dispatch.Request, key string) {
	h.t.Helper()
	c, err := h.ledger.Desk().Case(h.t.Context(), r.Alert)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Key = key
	if err := h.ledger.Desk().Apply(h.t.Context(), desk.Change{Case: *c, From: alert.Approved, Requests: []dispatch.Request{r}}); err != nil {
		h.t.Fatal(err)
	}
}

// left counts the cells of the area that somebody has left.
func (h *house) left(t testing.TB) int {
	t.Helper()
	cells, err := h.ledger.Dispatch().MovedCells(t.Context(), []area.Code{"00001", "00002"}, 0)
	if err != nil {
		t.Error(err)
	}
	return len(cells)
}

// TestASecondRequestSparesWhoWasCutElsewhere sends the same revision once more
// after somebody has moved.
func TestASecondRequestSparesWhoWasCutElsewhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 60)
	r := h.approve(func(r *dispatch.Request) { r.Areas = []area.Code{"00001", "00002"} })
	h.work(h.ledger.Dispatch(), h.idle)
	h.rehouse(t, 0, dispatch.Cell{Commune: "00002", Language: "vi"}) // cut in the other commune
	h.again(r, "again")
	h.work(h.ledger.Dispatch(), h.idle)
	err := h.wasCut(r.Alert, func(c dispatch.Cell, _ int64) bool { return c.Kind != channels.App })
	if err != nil {
		t.Error(err)
	}
}
