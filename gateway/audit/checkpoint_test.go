package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func keyOf(t *testing.T, ledger string, first byte) Key {
	t.Helper()
	seed := make([]byte, 32)
	seed[0] = first
	k, err := NewKey(ledger, seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signed(t *testing.T, k Key, r Record) string {
	t.Helper()
	text, err := Checkpoint{Head: Head{r.Seq, r.Hash}, At: time.Unix(99, 0)}.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// walked verifies a chain that ends where it should.
func walked(t *testing.T, recs []Record, notes []string, keys ...string) Report {
	t.Helper()
	w := NewWalk("l1", notes)
	for _, r := range recs {
		w.Add(r)
	}
	last := recs[len(recs)-1]
	rep, err := w.End(&Head{last.Seq, last.Hash}, keys)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// A checkpoint proves something only as it was signed, by a key of this ledger.
func TestCheckpointsThatProveNothing(t *testing.T) {
	t.Parallel()
	recs := chain(5)
	own := keyOf(t, "l1", 1)
	good := signed(t, own, recs[2])
	if r := walked(t, recs, []string{good}, own.Verifier()); !r.Good() || !strings.Contains(r.Checkpoints[0].Text, "1 to 3 are what they were") {
		t.Errorf("%+v", r)
	}
	for name, c := range map[string]struct{ note, says string }{
		"nothing":          {"", "no checkpoint"},
		"no signature":     {good[:strings.Index(good, "\n\n")+1], "no checkpoint"},
		"another number":   {strings.Replace(good, "\n3\n", "\n4\n", 1), "signature does not fit"},
		"another time":     {strings.Replace(good, "at 1970", "at 1971", 1), "signature does not fit"},
		"a number with 0":  {strings.Replace(good, "\n3\n", "\n03\n", 1), "no checkpoint"},
		"a line more":      {strings.Replace(good, "\n\n", "\nmore\n\n", 1), "no checkpoint"},
		"another key":      {signed(t, keyOf(t, "l1", 2), recs[2]), "not signed with this ledger's key"},
		"another ledger":   {signed(t, keyOf(t, "l2", 1), recs[2]), "of another ledger"},
		"another ledger 2": {strings.Replace(signed(t, keyOf(t, "l2", 1), recs[2]), "loa/l2\n", "loa/l1\n", 1), "not signed"},
		"much":             {good + strings.Repeat("x", maxCheckpoint), "no checkpoint"},
	} {
		r := walked(t, recs, []string{c.note}, own.Verifier())
		if r.Good() || !strings.Contains(r.Checkpoints[0].Text, "proves nothing") || !strings.Contains(r.Checkpoints[0].Text, c.says) {
			t.Errorf("%s: %+v", name, r.Checkpoints)
		}
	}
	if _, err := NewWalk("l1", nil).End(nil, []string{keyOf(t, "l2", 1).Verifier()}); err == nil {
		t.Error("a key of another ledger was taken")
	}
}

// A key that was replaced vouches for what came before, and for nothing after.
func TestReplacedKey(t *testing.T) {
	t.Parallel()
	first, second := keyOf(t, "l1", 1), keyOf(t, "l1", 2)
	succession, err := Succession(first, second)
	if err != nil {
		t.Fatal(err)
	}
	with := func(text string) []Record {
		detail, err := json.Marshal(map[string]string{"succession": text})
		if err != nil {
			t.Fatal(err)
		}
		recs := chain(5)
		recs[3].Act, recs[3].Detail = ActRotate, string(detail)
		for i := 3; i < len(recs); i++ {
			recs[i].Prev = recs[i-1].Hash
			recs[i].Hash = Seal(recs[i].Prev, recs[i])
		}
		return recs
	}
	recs := with(succession)
	for name, c := range map[string]struct {
		recs  []Record
		note  string
		known Key
		good  bool
	}{
		"old key, before":                  {recs, signed(t, first, recs[2]), second, true},
		"old key, after":                   {recs, signed(t, first, recs[4]), second, false},
		"new key, by who kept the old one": {recs, signed(t, second, recs[4]), first, true},
		"succession by the new key alone":  {with(strings.Replace(succession, "— loa/l1", "— loa/l3", 1)), signed(t, first, recs[2]), second, false},
		"succession of another":            {with(strings.Replace(succession, first.Verifier(), keyOf(t, "l1", 3).Verifier(), 1)), signed(t, first, recs[2]), second, false},
	} {
		if r := walked(t, c.recs, []string{c.note}, c.known.Verifier()); r.Good() != c.good {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
