package ledger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"loa/gateway/audit"
)

// tamperings change a record of n records the way somebody could who may write
// to the database, and say which is the first record that is no longer what it
// was.
var tamperings = map[string]func(dice *rand.Rand, recs []audit.Record, head *audit.Head) ([]audit.Record, int64){
	"edited": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs))
		edit(dice, &recs[i])
		return recs, recs[i].Seq
	},
	"edited and sealed anew": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs))
		recs[i].Actor += "x"
		recs[i].Hash = audit.Seal(recs[i].Prev, recs[i])
		return recs, recs[i].Seq
	},
	"deleted": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs) - 1)
		j := i + 1 + dice.IntN(len(recs)-i-1)
		return slices.Delete(recs, i, j), int64(i + 1)
	},
	"reordered": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs) - 1)
		j := i + 1 + dice.IntN(len(recs)-i-1)
		recs[i], recs[j] = recs[j], recs[i]
		recs[i].Seq, recs[j].Seq = recs[j].Seq, recs[i].Seq
		return recs, int64(i + 1)
	},
	"renumbered": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs))
		seq := recs[i].Seq
		recs[i].Seq += 1000
		return recs, seq
	},
	"truncated": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs))
		return recs[:i], int64(i + 1)
	},
	"added": func(dice *rand.Rand, recs []audit.Record, _ *audit.Head) ([]audit.Record, int64) {
		last := recs[len(recs)-1]
		r := audit.Record{Seq: last.Seq + 1, At: last.At, Actor: "p_x", Act: "alert.approve", Object: "alert/x", Prev: last.Hash}
		r.Hash = audit.Seal(r.Prev, r)
		return append(recs, r), r.Seq
	},
	"truncated, its end too": func(dice *rand.Rand, recs []audit.Record, head *audit.Head) ([]audit.Record, int64) {
		i := 1 + dice.IntN(len(recs)-1)
		*head = audit.Head{Seq: recs[i-1].Seq, Hash: recs[i-1].Hash}
		return recs[:i], 0
	},
	"rewritten from there on": func(dice *rand.Rand, recs []audit.Record, head *audit.Head) ([]audit.Record, int64) {
		recs[dice.IntN(len(recs))].Detail = `{"never":"happened"}`
		return resealed(recs, head), 0
	},
	"deleted and all sealed anew": func(dice *rand.Rand, recs []audit.Record, head *audit.Head) ([]audit.Record, int64) {
		i := dice.IntN(len(recs) - 1)
		return resealed(slices.Delete(recs, i, i+1), head), 0
	},
}

func edit(dice *rand.Rand, r *audit.Record) {
	switch dice.IntN(6) {
	case 0:
		r.At = r.At.Add(time.Nanosecond)
	case 1:
		r.Actor = "p_2"
	case 2:
		r.Act = "alert.stop"
	case 3:
		r.Object += "0"
	case 4:
		r.Detail = "{}"
	default:
		r.Hash[dice.IntN(len(r.Hash))]++
	}
}

func resealed(recs []audit.Record, head *audit.Head) []audit.Record {
	var prev audit.Hash
	for i := range recs {
		recs[i].Seq, recs[i].Prev = int64(i+1), prev
		recs[i].Hash = audit.Seal(prev, recs[i])
		prev = recs[i].Hash
	}
	*head = audit.Head{Seq: int64(len(recs)), Hash: prev}
	return recs
}

// TestEveryTamperingIsFound tampers five hundred times with the stored record,
// half of them on each database, and undoes it. The first bad record is named;
// what was sealed anew as a whole is found by the checkpoint that was kept.
func TestEveryTamperingIsFound(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		const records, rounds = 40, 25
		l := open(t, Options{})
		for i := range records {
			must(t, l.Seal(t.Context(), audit.Record{At: noon.Add(time.Duration(i) * time.Second), Actor: "p_1", Act: "alert.approve", Object: fmt.Sprintf("alert/%d", i), Detail: `{"n":1}`}))
		}
		kept := got(l.Audit(t.Context(), 0, 2*records))(t)
		guard := got(l.Guard(t.Context()))(t)
		key := got(audit.NewKey(guard.Ledger, make([]byte, 32)))(t)
		whole := audit.Head{Seq: kept[len(kept)-1].Seq, Hash: kept[len(kept)-1].Hash}
		note := got(audit.Checkpoint{Head: whole, At: noon}.Sign(key))(t)
		verify := func(notes ...string) audit.Report {
			w := audit.NewWalk(guard.Ledger, notes)
			head := got(l.Walk(t.Context(), w))(t)
			return got(w.End(head, []string{key.Verifier()}))(t)
		}
		dice := rand.New(rand.NewPCG(4, 6)) // #nosec G404 -- a test's dice
		found := 0
		for _, name := range slices.Sorted(maps.Keys(tamperings)) {
			for range rounds {
				head := whole
				recs, first := tamperings[name](dice, slices.Clone(kept), &head)
				rewrite(t, l, recs, head)
				r := verify(note)
				switch {
				case r.Good():
					t.Errorf("%s: not found", name)
				case first > 0 && (r.Fault == nil || r.Fault.Seq != first):
					t.Errorf("%s: at %d: %+v", name, first, r.Fault)
				case first == 0 && (r.Fault != nil || r.Checkpoints[0].Good || !verify().Good()):
					t.Errorf("%s: %+v", name, r)
				default:
					found++
				}
				rewrite(t, l, kept, whole)
				if r := verify(note); !r.Good() {
					t.Fatalf("undone: %+v", r)
				}
			}
		}
		same(t, "found", rounds*len(tamperings), found)
	})
}

func rewrite(t *testing.T, l *Ledger, recs []audit.Record, head audit.Head) {
	t.Helper()
	must(t, l.db.write(t.Context(), acts, func(x tx) error {
		if _, err := x.exec("DELETE FROM audit"); err != nil {
			return err
		}
		for _, r := range recs {
			if _, err := x.exec("INSERT INTO audit ("+auditColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)", r.Seq, ns(r.At), r.Actor, r.Act, r.Object, r.Detail, r.Prev[:], r.Hash[:]); err != nil {
				return err
			}
		}
		_, err := x.exec("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1", head.Seq, head.Hash[:])
		return err
	}))
}
