package smpp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
)

// The table as it was decided, by the numbers of the standard, so that neither
// list can change alone.
var decided = map[channels.Fault][]data.CommandStatusType{
	channels.FaultProvider: {
		0x02, 0x03, 0x06, 0x07, 0x0A, 0x0D, 0x0E, 0x0F, 0x15, 0x43, 0x48, 0x49, 0x50, 0x51, 0x53, 0x54, 0x59, 0x61, 0x62,
	},
	channels.FaultThrottled: {0x14, 0x58},
	channels.FaultAddress:   {0x0B},
	channels.FaultContent:   {0x01},
	channels.FaultTransient: {0x04, 0x05, 0x08, 0x45, 0x64, 0x65, 0x66},
}

func TestFaultsAreAsDecided(t *testing.T) {
	t.Parallel()
	want := map[data.CommandStatusType]channels.Fault{}
	for fault, all := range decided {
		for _, s := range all {
			want[s] = fault
		}
	}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("the table differs from what was decided (-want +got):\n%s", diff)
	}
	for s := range data.CommandStatusType(0x500) {
		e, b := refused(s+1), unbound(s+1)
		if e.Fault == channels.FaultAmbiguous || b.Fault == channels.FaultAmbiguous {
			t.Errorf("0x%X is ambiguous, and a refusal never is", s+1)
		}
		if b.Account != (b.Fault == channels.FaultProvider) || e.Account != (s+1 >= 0x0D && s+1 <= 0x0F) {
			t.Errorf("0x%X: about the account %v, bound %v", s+1, b.Account, e.Account)
		}
	}
}

func receiptOf(class byte, text string, fields ...pdu.Field) *pdu.DeliverSM {
	d, _ := pdu.NewDeliverSM().(*pdu.DeliverSM)
	d.EsmClass = class
	if err := d.Message.SetMessageDataWithEncoding([]byte(text), data.GSM7BIT); err != nil {
		panic(err)
	}
	for _, f := range fields {
		d.RegisterOptionalParam(f)
	}
	return d
}

func TestReadReport(t *testing.T) {
	t.Parallel()
	id := func(s string) pdu.Field { return pdu.Field{Tag: pdu.TagReceiptedMessageID, Data: []byte(s)} }
	st := func(b ...byte) pdu.Field { return pdu.Field{Tag: pdu.TagMessageStateOption, Data: b} }
	const good = "id:A1-b2 sub:001 dlvrd:001 submit date:2409071300 done date:2409071301 stat:DELIVRD err:000 text:Canh bao"
	for name, c := range map[string]struct {
		in   *pdu.DeliverSM
		want report
		ok   bool
	}{
		"text":              {receiptOf(4, good), report{"A1-b2", delivered, "DELIVRD"}, true},
		"in small letters":  {receiptOf(4, "ID:9 stat:undeliv ERR:1a"), report{"9", undeliverable, "UNDELIV 1a"}, true},
		"parameters alone":  {receiptOf(4, "", id("77\x00"), st(3)), report{"77", expired, "EXPIRED"}, true},
		"parameters first":  {receiptOf(4, good, id("77"), st(8)), report{"77", rejected, "REJECTD"}, true},
		"a header besides":  {receiptOf(0x44, good), report{"A1-b2", delivered, "DELIVRD"}, true},
		"still on its way":  {receiptOf(4, "id:1 stat:ENROUTE"), report{"1", enroute, "ENROUTE"}, true},
		"a person's answer": {receiptOf(0, good), report{}, false},
		"an intermediate":   {receiptOf(0x20, good), report{}, false},
		"no identifier":     {receiptOf(4, "stat:DELIVRD"), report{state: delivered, code: "DELIVRD"}, false},
		"no state":          {receiptOf(4, "id:1"), report{id: "1"}, false},
		"unknown state":     {receiptOf(4, "id:1 stat:WHATEVR", st(99)), report{id: "1", state: 99}, false},
	} {
		got, ok := readReport(c.in)
		if ok != c.ok || got != c.want {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, ok, c.want, c.ok)
		}
	}
}

// What several receipts make of a text in parts.
func TestSettle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		states []state
		want   channels.Outcome // Pending: nothing is said
	}{
		"all arrived":       {[]state{delivered, delivered}, channels.Delivered},
		"none arrived":      {[]state{undeliverable, expired}, channels.Failed},
		"the last failed":   {[]state{delivered, undeliverable}, channels.Pending},
		"the first failed":  {[]state{rejected, delivered}, channels.Pending},
		"one is missing":    {[]state{delivered}, channels.Pending},
		"one on its way":    {[]state{delivered, enroute}, channels.Pending},
		"one not known":     {[]state{delivered, unknown}, channels.Pending},
		"on its way before": {[]state{enroute, delivered}, channels.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceipts(t.Context(), deps("", nil))
			defer r.close()
			of := &tracked{ref: "ref", states: make([]state, 2)}
			for i := range 2 {
				r.enter(string(rune('a'+i)), of, i, false)
			}
			queued := false
			for i, s := range c.states {
				q, _ := r.report(report{id: string(rune('a' + i)), state: s, code: s.name()}, func(bool) {})
				queued = queued || q
			}
			if queued != (c.want != channels.Pending) {
				t.Fatalf("queued: %v", queued)
			}
			if !queued {
				return
			}
			if got, whole := r.settle(of, 1, report{id: "b", state: c.states[1], code: "X"}); !whole || got.Outcome != c.want || got.Ref != "ref" {
				t.Errorf("receipt is %+v", got)
			}
		})
	}
}

// The identifiers kept are bounded, and the oldest go first.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var g ring
	for i, want := range []string{"", "", "", "a", "b", "c", "d"} {
		if got := g.push(string(rune('a'+i)), 3); got != want {
			t.Errorf("push %d drops %q, want %q", i, got, want)
		}
	}
	r := newReceipts(t.Context(), deps("", nil))
	defer r.close()
	for i := range maxEarly + 10 {
		if queued, kept := r.report(report{id: string(rune('a' + i)), state: delivered, code: "DELIVRD"}, nil); queued || !kept {
			t.Fatal("a receipt of nobody's message is asked for again")
		}
	}
	if len(r.early) != maxEarly {
		t.Errorf("%d early receipts are kept", len(r.early))
	}
}
