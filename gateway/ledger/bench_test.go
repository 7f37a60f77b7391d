package ledger

import (
	"context"
	"path/filepath"
	"testing"

	"loa/channels"
	"loa/gateway/delivery"
)

func benchLedger(b *testing.B) *Ledger {
	b.Helper()
	l, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "loa.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l
}

// BenchmarkAdvance64 is the cost of one durable advance that settles 64
// recipients and starts 64 more, with 8 workers sharing group commits.
func BenchmarkAdvance64(b *testing.B) {
	l := benchLedger(b)
	approve(b, l, "a1")
	const workers, window = 8, 64
	perBatch := delivery.MaxRecipients / window // advances with something to start
	batches := (b.N+perBatch-1)/perBatch + workers
	bs := make([]delivery.Batch, 0, 16)
	var first int64 = 1
	for range batches {
		bs = append(bs, batch("a1", first, delivery.MaxRecipients))
		first += 2 * delivery.MaxRecipients
		if len(bs) == cap(bs) {
			cut(b, l, "a1", bs...)
			bs = bs[:0]
		}
	}
	if len(bs) > 0 {
		cut(b, l, "a1", bs...)
	}
	turns := make(chan struct{}, b.N)
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	errs := make(chan error, workers)
	b.ResetTimer()
	for range workers {
		go func() { errs <- benchWorker(b.Context(), l, turns, window) }()
	}
	for range workers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*window)/b.Elapsed().Seconds(), "recipients/s")
}

func benchWorker(ctx context.Context, l *Ledger, turns <-chan struct{}, window int) error {
	for {
		leases, err := l.Delivery().Claim(ctx, delivery.ClaimRequest{Kind: channels.SMS, Holder: "bench", Max: 1, Now: noon})
		if err != nil {
			return err
		}
		if len(leases) == 0 {
			return nil
		}
		s := delivery.Step{Batch: leases[0].ID, Fence: leases[0].Fence}
		for next := 0; next < len(leases[0].Recipients) || len(s.Start) > 0; {
			if _, more := <-turns; !more {
				return nil
			}
			s.Settle = s.Settle[:0]
			for _, i := range s.Start {
				s.Settle = append(s.Settle, delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Accepted})
			}
			s.Start = s.Start[:0]
			for ; next < len(leases[0].Recipients) && len(s.Start) < window; next++ {
				s.Start = append(s.Start, next)
			}
			s.Return = len(s.Start) == 0
			if _, err := l.Delivery().Advance(ctx, noon, []delivery.Step{s}); err != nil {
				return err
			}
		}
	}
}

// BenchmarkStage1000 is the cost of staging 1,000 subscribers in one commit.
func BenchmarkStage1000(b *testing.B) {
	l := benchLedger(b)
	id, err := l.Audience().Begin(b.Context(), noon, "bench")
	must(b, err)
	b.ResetTimer()
	must(b, stageMany(b.Context(), l.Audience(), id, 0, 1000*b.N))
	b.StopTimer()
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkFlip1000 is the cost of listing and showing 1,000 staged rows of a
// great import.
func BenchmarkFlip1000(b *testing.B) {
	l := benchLedger(b)
	id, err := l.Audience().Begin(b.Context(), noon, "bench")
	must(b, err)
	must(b, stageMany(b.Context(), l.Audience(), id, 0, 1000*b.N))
	b.ResetTimer()
	_, _, err = l.Audience().Flip(b.Context(), id, noon)
	must(b, err)
	b.StopTimer()
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
