package queue

import "testing"

func TestGeneration(t *testing.T) {
	t.Parallel()
	q := serverPeer(t).open(t)
	ctx := t.Context()
	seen := func(ledger string) int64 {
		t.Helper()
		n, err := q.Seen(ctx, ledger)
		must(t, err)
		return n
	}
	same(t, "before any", seen("a"), 0)
	for _, n := range []int64{7, 9, 8} {
		must(t, q.Mirror(ctx, "a", n))
	}
	same(t, "after 7, 9 and 8", seen("a"), 9)
	same(t, "of another ledger", seen("b"), 0)
	const great = 1<<53 - 1
	must(t, q.Mirror(ctx, "a", great))
	same(t, "a great one", seen("a"), great)
}
