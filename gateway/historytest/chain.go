package historytest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Seal is the seal of an audit record: SHA-256 over the seal before it and the
// length-prefixed fields, in hex. It is written from the format's description.
func Seal(prev string, e Event) string {
	h := sha256.New()
	raw, err := hex.DecodeString(prev)
	if prev == "" {
		raw = make([]byte, sha256.Size) // the first record follows zeros
	}
	if err != nil || len(raw) != sha256.Size {
		return "no seal: the one before it is none"
	}
	h.Write(raw)
	put := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) } //nolint:gosec // the bit pattern is what is sealed
	put(e.Seq)
	put(e.At)
	for _, s := range []string{e.Person, e.Op, e.Object, e.Detail} {
		put(int64(len(s)))
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// auditChain is I14: the chain verifies from its first record to its last, and
// each act has a record of its own, written before what the act set going.
func (f *facts) auditChain(p *Params, v *Verdict) {
	records := slices.Clone(f.audit)
	slices.SortStableFunc(records, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
	prev := ""
	for i, e := range records {
		v.Examined++
		switch {
		case e.Seq != int64(i+1):
			v.offence("record %d stands where %d should: one is missing or there twice", e.Seq, i+1)
		case i > 0 && e.T < records[i-1].T:
			v.offence("record %d was written before record %d", e.Seq, e.Seq-1)
		case e.Prev != prev && (i > 0 || e.Prev != hex.EncodeToString(make([]byte, sha256.Size))):
			v.offence("record %d does not follow the one before it", e.Seq)
		case Seal(e.Prev, e) != e.Hash:
			v.offence("record %d is not what was sealed", e.Seq)
		}
		if len(v.offences) > 0 {
			return // nothing after the first break can be told
		}
		prev = e.Hash
	}
	if p.AuditLast != "" && p.AuditLast != prev {
		v.offence("the chain ends with another record than was noted elsewhere")
	}
	if len(records) == 0 {
		v.doubt("no audit record was kept in the history")
		return
	}
	f.recordsOfActs(p, v, records)
}

// recordsOfActs finds a record for each submit, approval and stop.
func (f *facts) recordsOfActs(p *Params, v *Verdict, records []Event) {
	type act struct{ op, object, person string }
	kept := map[act][]int64{}
	for _, e := range records {
		k := act{e.Op, e.Object, e.Person}
		kept[k] = append(kept[k], e.T)
	}
	first := f.effects()
	for i, r := range f.revisions {
		effect, begun := first[int32(i)]
		need := func(kind Kind, e Event) {
			v.count("acts", 1)
			k := act{cmp.Or(e.Op, p.Acts[kind]), "alert/" + r.name.alert, e.Person}
			if len(kept[k]) == 0 {
				v.offence("%s: the %s of %s has no record", r.name, kind, e.Person)
				return
			}
			at := kept[k][0]
			kept[k] = kept[k][1:]
			if begun && at > effect {
				v.offence("%s: the record of the %s was written after the first call", r.name, kind)
			}
		}
		if r.submit != nil {
			need(KindSubmit, *r.submit)
		}
		for _, a := range r.approvals {
			if r.submit == nil || a.Op != p.Acts[KindSubmit] || a.Person != r.submit.Person {
				need(KindApproval, a) // who submits signs with the same act
			}
		}
	}
	f.recordsOfStops(p, v, func(e revisionName, op string) bool {
		return slices.ContainsFunc(records, func(x Event) bool { return x.Op == op && x.Object == "alert/"+e.alert })
	})
}

func (f *facts) recordsOfStops(p *Params, v *Verdict, kept func(revisionName, string) bool) {
	for _, r := range f.revisions {
		if r.cancelled == 0 {
			continue
		}
		v.count("acts", 1)
		if op := cmp.Or(r.endedBy, p.Acts[KindCancel]); !kept(r.name, op) {
			v.offence("%s: its stop has no record of act %s", r.name, op)
		}
	}
}
