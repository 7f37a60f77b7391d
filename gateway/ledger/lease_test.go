package ledger

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/ledger/postgrestest"
)

// TestLeaseLapses moves the process clock, by which SQLite judges.
func TestLeaseLapses(t *testing.T) {
	t.Parallel()
	clock := clockAt(noon)
	l := openTestSQLite(t, Options{Now: clock.now})
	approve(t, l, "a1")
	id := cut(t, l, "a1", batch("a1", 1, 3))[0]
	first := claim(t, l, noon)[0].Fence
	advance(t, l, noon, delivery.Step{Batch: id, Fence: first, Start: []int{0}})
	clock.set(clock.now().Add(delivery.LeaseFor - 1))
	same(t, "before it lapses", 0, len(claim(t, l, noon)))
	advance(t, l, noon, delivery.Step{Batch: id, Fence: first})
	clock.set(clock.now().Add(delivery.LeaseFor - 1))
	same(t, "after it was renewed", 0, len(claim(t, l, noon)))
	clock.set(clock.now().Add(1))
	lease := claim(t, l, noon)[0]
	same(t, "what was left sending", delivery.NewMark(channels.Ambiguous, 1), lease.Marks[0])
	same(t, "its exception", []delivery.Exception{{Attempt: 1, Doubts: 1, Due: noon.Add(20 * time.Second), Code: delivery.CodeCrashed, At: noon}}, lease.Exceptions)

	// The first holder comes back: it may start nothing, but what it learned
	// is evidence.
	v := advance(t, l, noon, delivery.Step{Batch: id, Fence: first, Start: []int{1}, Settle: []delivery.Delta{{Index: 0, Attempt: 1, Outcome: channels.Accepted}}})
	same(t, "verdict on a stale fence", delivery.Verdict{Lost: true}, v)
	advance(t, l, noon, delivery.Step{Batch: id, Fence: lease.Fence, Return: true})
	lease = claim(t, l, noon)[0]
	same(t, "after the evidence", delivery.NewMark(channels.Accepted, 1), lease.Marks[0])
	same(t, "exceptions after the evidence", 0, len(lease.Exceptions))
}

func TestLeasesOfAnotherBootAreVoid(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/loa.db"
	opt := Options{Now: func() time.Time { return noon }}
	l := openAt(t, path, opt)
	approve(t, l, "a1")
	id := cut(t, l, "a1", batch("a1", 1, 3))[0]
	fence := claim(t, l, noon)[0].Fence
	advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{0, 1}})
	must(t, l.Close())

	l = openAt(t, path, opt)
	same(t, "due", []delivery.Hint{{Batch: id, Kind: channels.SMS}}, got(l.Delivery().Due(t.Context(), noon, delivery.Hint{}, 9))(t))
	same(t, "orphans", []delivery.Hint{{Batch: id, Kind: channels.SMS}}, orphans(t, l, noon))
	same(t, "verdict on a lease of another boot", delivery.Verdict{Lost: true}, advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{2}}))
	lease := claim(t, l, noon)[0]
	if lease.Fence <= fence {
		t.Errorf("fence %d after %d", lease.Fence, fence)
	}
	want := []delivery.Mark{delivery.NewMark(channels.Ambiguous, 1), delivery.NewMark(channels.Ambiguous, 1), 0}
	same(t, "marks", want, lease.Marks)
}

func orphans(t *testing.T, l *Ledger, now time.Time) []delivery.Hint {
	t.Helper()
	return got(l.Delivery().Orphans(t.Context(), now, channels.SMS, 9))(t)
}

// An orphan is what somebody held and let lapse; what nobody held, or was given
// back, is none, and nor is what may have killed its holders.
func TestOrphans(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		ids := cut(t, l, "a1", batch("a1", 1, 3), batch("a1", 10, 3))
		lapse := func() {
			must(t, l.db.write(t.Context(), acts, func(x tx) error {
				x.leased().drop(ids[0])
				_, err := x.exec("UPDATE progress SET until = 1 WHERE batch = ?", int64(ids[0]))
				return err
			}))
		}
		same(t, "of nobody", 0, len(orphans(t, l, noon)))
		leases := claim(t, l, noon)
		same(t, "leased", 2, len(leases))
		same(t, "of the living", 0, len(orphans(t, l, noon)))
		advance(t, l, noon, delivery.Step{Batch: ids[1], Fence: leases[1].Fence, Return: true})
		want := []delivery.Hint{{Batch: ids[0], Kind: channels.SMS}}
		lapse()
		same(t, "after the lease", want, orphans(t, l, noon))
		same(t, "of another channel", 0, len(got(l.Delivery().Orphans(t.Context(), noon, channels.WebPush, 9))(t)))
		for range delivery.OrphanCrashes {
			same(t, "leases", 1, len(claim(t, l, noon, ids[0])))
			same(t, "claimed", 0, len(orphans(t, l, noon)))
			lapse()
		}
		same(t, "after too many holders", 0, len(orphans(t, l, noon)))
		same(t, "due all the same", 2, len(got(l.Delivery().Due(t.Context(), noon, delivery.Hint{}, 9))(t)))
	})
}

// TestTwoNodesShareTheWork lets two ledgers on one PostgreSQL claim the same
// batches: each goes to one of them, and its sends are started once.
func TestTwoNodesShareTheWork(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Shared(t).Database(t)
	nodes := []*Ledger{openPostgresAt(t, dsn, Options{}), openPostgresAt(t, dsn, Options{})}
	approve(t, nodes[0], "a1")
	const batches, size = 60, 20
	var bs []delivery.Batch
	for i := range batches {
		bs = append(bs, batch("a1", int64(1+100*i), size))
	}
	cut(t, nodes[0], "a1", bs...)
	var mu sync.Mutex
	by := map[delivery.BatchID]string{}
	work := func(l *Ledger, name string) error {
		for {
			leases, err := l.Delivery().Claim(t.Context(), delivery.ClaimRequest{Kind: channels.SMS, Holder: name, Max: 3, Now: noon})
			if err != nil {
				return err
			}
			if len(leases) == 0 {
				n, err := l.Delivery().Outstanding(t.Context(), channels.SMS)
				if err != nil || n == 0 {
					return err
				}
				continue
			}
			var start, settle []delivery.Step
			for _, lease := range leases {
				mu.Lock()
				if other, twice := by[lease.ID]; twice {
					t.Errorf("batch %d was leased to %s and to %s", lease.ID, other, name)
				}
				by[lease.ID] = name
				mu.Unlock()
				s := delivery.Step{Batch: lease.ID, Fence: lease.Fence}
				end := delivery.Step{Batch: lease.ID, Fence: lease.Fence, Return: true}
				for i := range lease.Recipients {
					s.Start = append(s.Start, i)
					end.Settle = append(end.Settle, delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Accepted})
				}
				start, settle = append(start, s), append(settle, end)
			}
			// Two nodes take rows in different orders: no deadlock may come of it.
			slices.Reverse(start)
			vs, err := l.Delivery().Advance(t.Context(), noon, start)
			if err != nil {
				return err
			}
			for _, v := range vs {
				if v.Started != size {
					return fmt.Errorf("verdict %+v", v)
				}
			}
			if _, err := l.Delivery().Advance(t.Context(), noon, settle); err != nil {
				return err
			}
		}
	}
	errs := make(chan error, 8)
	for w := range cap(errs) {
		go func() { errs <- work(nodes[w%2], fmt.Sprintf("node%d/%d", w%2, w)) }()
	}
	for range cap(errs) {
		must(t, <-errs)
	}
	same(t, "leased", batches, len(by))
	cells := got(nodes[1].Coverage().Cells(t.Context(), "a1", 1))(t)
	same(t, "accepted", batches*size, cells[0].Count(channels.Accepted))
}

// TestDeadAlertsLeaveTheIndex keeps claims quick after many alerts.
func TestDeadAlertsLeaveTheIndex(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		c := approve(t, l, "a1")
		cut(t, l, "a1", batch("a1", 1, 3), batch("a1", 101, 3))
		stop(t, l, c, alert.Stopped)
		open1 := func() (n int) {
			must(t, l.db.read(t.Context(), func(x tx) error {
				_, err := one(x, "SELECT COUNT(*) FROM progress WHERE due_at IS NOT NULL", nil, &n)
				return err
			}))
			return n
		}
		for deadline := time.Now().Add(20 * time.Second); open1() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("batches of a dead alert stay open")
			}
		}
		same(t, "cancelled", 6, got(l.Coverage().Cells(t.Context(), "a1", 1))(t)[0].Count(channels.Cancelled))
	})
}

// TestBytesPerRecipient measures what a clean fan-out adds to the file.
func TestBytesPerRecipient(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/loa.db"
	l, err := OpenSQLite(t.Context(), path, Options{})
	must(t, err)
	approve(t, l, "a1")
	size := func() int64 {
		must(t, l.Close())
		info, err := os.Stat(path)
		must(t, err)
		l, err = OpenSQLite(context.Background(), path, Options{})
		must(t, err)
		return info.Size()
	}
	before := size()
	const batches = 100
	var first int64 = 1
	for range batches {
		b := batch("a1", first, 0)
		for range delivery.MaxRecipients {
			b.Recipients = append(b.Recipients, first)
			first += 168 // as in a file that names 168 communes in turn
		}
		cut(t, l, "a1", b)
	}
	for range batches {
		lease := claim(t, l, noon)
		for _, c := range lease {
			s := delivery.Step{Batch: c.ID, Fence: c.Fence, Return: true}
			for i := range c.Recipients {
				s.Settle = append(s.Settle, delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Delivered})
			}
			advance(t, l, noon, s)
		}
	}
	each := float64(size()-before) / (batches * delivery.MaxRecipients)
	must(t, l.Close())
	t.Logf("%.2f bytes per recipient", each)
	if each > 8 {
		t.Errorf("%.2f bytes per recipient, at most 8", each)
	}
}
