package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

// stageMany stages n rows over the pilot communes, told apart by salt.
func stageMany(ctx context.Context, a audience.Store, id audience.ImportID, salt, n int) error {
	for from := 0; from < n; from += 1000 {
		es := make([]audience.Sealed, min(1000, n-from))
		for i := range es {
			k := from + i
			e := &es[i]
			e.Kind, e.Language, e.Basis, e.ConsentText, e.ConsentAt = channels.SMS, "vi", audience.Consent, "v1", noon
			e.Commune = communeOf(k)
			e.Cipher = make([]byte, 40)
			binary.LittleEndian.PutUint64(e.Cipher, uint64(k))
			// A keyed hash looks random.
			binary.LittleEndian.PutUint64(e.Lookup[:], uint64(k)*0x9e3779b97f4a7c15)
			binary.LittleEndian.PutUint64(e.Lookup[8:], uint64(k+salt*1_000_000_000)+1)
		}
		if err := a.Stage(ctx, id, es); err != nil {
			return err
		}
	}
	return nil
}

const pilot = 168

func communeOf(k int) area.Code {
	n := k % pilot
	return area.Code([]byte{'0', '7', byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// waits are how long something took, again and again.
type waits []time.Duration

func (w waits) String() string {
	slices.Sort(w)
	n := len(w)
	return fmt.Sprintf("%d: median %s, 99th percentile %s, longest %s", n,
		w[n/2].Round(10*time.Microsecond), w[n*99/100].Round(10*time.Microsecond), w[n-1].Round(10*time.Microsecond))
}

func (w *waits) time(do func()) {
	began := time.Now()
	do()
	*w = append(*w, time.Since(began))
}

// TestGreatImport imports many rows while alerts are approved and batches
// claimed: both go on, and all rows become visible at once. It says how long
// approvals and claims took.
func TestGreatImport(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	if rows := os.Getenv("LOA_IMPORT_ROWS"); rows != "" { // as the benches do: a million
		var err error
		if n, err = strconv.Atoi(rows); err != nil {
			t.Fatalf("LOA_IMPORT_ROWS: %v", err)
		}
	}
	// One database after the other: beside each other they would slow each
	// other down.
	for name, open := range map[string]opener{"sqlite": openTestSQLite, "postgresql": openTestPostgres} {
		t.Run(name, func(t *testing.T) { greatImport(t, open(t, Options{}), n) })
	}
}

func greatImport(t *testing.T, l *Ledger, n int) {
	approve(t, l, "a1")
	var communes []area.Code
	for k := range pilot {
		communes = append(communes, communeOf(k))
	}
	id := got(l.Audience().Begin(t.Context(), noon, "all.csv"))(t)
	var flipped atomic.Bool
	imported := make(chan error, 1)
	var added, known int
	began := time.Now()
	go func() {
		defer flipped.Store(true)
		err := stageMany(t.Context(), l.Audience(), id, 0, n)
		t.Logf("%d rows staged in %s", n, time.Since(began).Round(time.Millisecond))
		if err == nil {
			added, known, err = l.Audience().Flip(t.Context(), id, noon)
		}
		imported <- err
	}()
	var claims, approvals waits
	for first := int64(1); !flipped.Load(); first += 100 {
		b := cut(t, l, "a1", batch("a1", first, 10))[0]
		var fence int64
		claims.time(func() { fence = claim(t, l, noon, b)[0].Fence })
		advance(t, l, noon, delivery.Step{Batch: b, Fence: fence, Return: true})
		c := submit(t, l, alert.ID(fmt.Sprintf("b%d", first)))
		approvals.time(func() { sign(t, l, c) })
		if c := counted(t, l, communes...); c != 0 && c != n {
			t.Fatalf("%d of %d rows are visible", c, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
	must(t, <-imported)
	t.Logf("%d rows staged, listed and shown in %s", n, time.Since(began).Round(time.Millisecond))
	t.Logf("claims meanwhile: %s", claims)
	t.Logf("approvals meanwhile: %s", approvals)
	same(t, "added, known", []int{n, 0}, []int{added, known})
	same(t, "count", n, counted(t, l, communes...))
}
