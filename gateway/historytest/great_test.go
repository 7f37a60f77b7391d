package historytest

import (
	"errors"
	"runtime"
	"testing"

	"loa/channels"
	"loa/gateway/alert"
)

// great is the history of an alert to n people on each of three channels,
// handed over in pieces: a mark and an outcome for every sixteen, a request, an
// answer and an entry of the books for every one.
func great(n int, add func(...Event) error) error {
	now := 1000 * sec
	base := []Event{
		{Kind: KindSubmit, Alert: "A", Revision: 1, Hash: "h", Status: alert.Actual, Severity: alert.Extreme, Priority: "p0", Expires: 1 << 62, Areas: communes, Person: "lan"},
		{Kind: KindApproval, Alert: "A", Revision: 1, Hash: "h", Person: "lan", Account: "lan", Device: "1", StepUp: sec, Areas: communes},
		{Kind: KindApproval, Alert: "A", Revision: 1, Hash: "h", Person: "minh", Account: "minh", Device: "2", StepUp: sec, Areas: communes},
	}
	for i := range base {
		base[i].T = now
	}
	if err := add(base...); err != nil {
		return err
	}
	batch, id := int64(0), int64(0)
	for _, k := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
		for left := n; left > 0; left -= 1000 {
			batch++
			ids := make([]int64, min(left, 1000))
			for i := range ids {
				id++
				ids[i] = id
			}
			head := Event{T: now, Alert: "A", Revision: 1, Channel: k, Commune: communes[0], IDs: ids, Batch: batch, Fence: 1}
			eligible, made, claimed := head, head, Event{T: now, Kind: KindClaim, Batch: batch, Fence: 1}
			eligible.Kind, made.Kind = KindEligible, KindBatch
			if err := add(eligible, made, claimed); err != nil {
				return err
			}
			if err := window(&now, batch, len(ids), k, add); err != nil {
				return err
			}
		}
	}
	return nil
}

func window(now *int64, batch int64, n int, k channels.Kind, add func(...Event) error) error {
	for from := 0; from < n; from += 16 {
		var indexes []int
		for i := from; i < min(n, from+16); i++ {
			indexes = append(indexes, i)
		}
		*now += ms
		es := []Event{{T: *now, Kind: KindMark, Batch: batch, Indexes: indexes, Attempt: 1, Fence: 1}}
		for _, i := range indexes {
			e := Event{T: *now + 1, Kind: KindRequest, Batch: batch, Index: i, Attempt: 1, Fence: 1, Provider: string(k), Channel: k, Status: alert.Actual, Live: true}
			es = append(es, e,
				Event{T: *now + 2, Kind: KindBook, Batch: batch, Index: i, Attempt: 1, Channel: k, Provider: string(k), Outcome: "accepted"},
				Event{T: *now + 3, Kind: KindAnswer, Batch: batch, Index: i, Attempt: 1, Outcome: "accepted"})
		}
		es = append(es, Event{T: *now + 4, Kind: KindOutcome, Batch: batch, Indexes: indexes, Attempt: 1, Fence: 1, Outcome: "accepted"})
		if err := add(es...); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkGreatHistory judges a folder that holds a run of 100,000 people on
// three channels.
func BenchmarkGreatHistory(b *testing.B) {
	dir := b.TempDir()
	r, err := NewRecorder(dir, "one")
	if err != nil {
		b.Fatal(err)
	}
	events := 0
	err = great(100_000, func(es ...Event) error {
		events += len(es)
		return r.Record(es...)
	})
	if err := errors.Join(err, r.Close(), WriteParams(dir, Params{})); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		got, err := CheckDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		if v := got.Of("I1"); v.State != Valid || v.Examined != 300_000 {
			b.Fatal(v)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(events), "events")
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "heap-MB")
}
