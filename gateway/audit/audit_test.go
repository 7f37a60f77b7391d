package audit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// chain seals n records.
func chain(n int) []Record {
	var recs []Record
	var prev Hash
	for i := range n {
		r := Record{Seq: int64(i + 1), At: time.Unix(int64(i), 7).UTC(), Actor: "p_1", Act: "alert.approve", Object: fmt.Sprintf("alert/%d", i), Detail: `{"n":1}`, Prev: prev}
		r.Hash = Seal(prev, r)
		prev = r.Hash
		recs = append(recs, r)
	}
	return recs
}

func TestVerify(t *testing.T) {
	t.Parallel()
	recs := chain(5)
	if at := Verify(Hash{}, recs); at != 0 {
		t.Errorf("an untouched chain does not fit at %d", at)
	}
	if at := Verify(Hash{}, nil); at != 0 {
		t.Errorf("no records do not fit at %d", at)
	}
	if at := Verify(recs[1].Hash, recs[2:]); at != 0 {
		t.Errorf("the rest of a chain does not fit at %d", at)
	}
	if at := Verify(Hash{}, recs[2:]); at != 3 {
		t.Errorf("a chain without its beginning: %d, want 3", at)
	}
	swapped := slices.Clone(recs)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	if at := Verify(Hash{}, swapped); at != 3 {
		t.Errorf("two records in the wrong order: %d, want 3", at)
	}
	if at := Verify(Hash{}, slices.Delete(slices.Clone(recs), 1, 3)); at != 4 {
		t.Errorf("two records cut out of the middle: %d, want 4", at)
	}
}

func TestVerifyFindsEveryEdit(t *testing.T) {
	t.Parallel()
	edits := map[string]func(*Record){
		"seq":    func(r *Record) { r.Seq += 100 },
		"at":     func(r *Record) { r.At = r.At.Add(1) },
		"actor":  func(r *Record) { r.Actor += "2" },
		"act":    func(r *Record) { r.Act = "alert.stop" },
		"object": func(r *Record) { r.Object = "" },
		"detail": func(r *Record) { r.Detail = `{"n":2}` },
		"prev":   func(r *Record) { r.Prev[0]++ },
		"hash":   func(r *Record) { r.Hash[31]++ },
		"moved":  func(r *Record) { r.Actor, r.Act = r.Actor+r.Act[:1], r.Act[1:] },
		"resealed": func(r *Record) {
			r.Detail = "{}"
			r.Hash = Seal(r.Prev, *r)
		},
	}
	for name, edit := range edits {
		for i := range 4 {
			recs := chain(5)
			edit(&recs[i])
			if at := Verify(Hash{}, recs); at == 0 {
				t.Errorf("%s of record %d edited and not found", name, i+1)
			}
		}
	}
}

func TestSealIgnoresTheTimeZone(t *testing.T) {
	t.Parallel()
	r := Record{Seq: 1, At: time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)}
	local := r
	local.At = r.At.In(time.FixedZone("+07", 7*3600))
	if Seal(Hash{}, r) != Seal(Hash{}, local) {
		t.Error("one instant in two zones has two seals")
	}
}

func TestSealKeepsFieldsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.StringN(0, 6, 12), 8, 8).Draw(t, "fields")
		a := Record{Actor: s[0], Act: s[1], Object: s[2], Detail: s[3]}
		b := Record{Actor: s[4], Act: s[5], Object: s[6], Detail: s[7]}
		if (Seal(Hash{}, a) == Seal(Hash{}, b)) != slices.Equal(s[:4], s[4:]) {
			t.Fatal("two records have one seal, or one record has two")
		}
	})
}
