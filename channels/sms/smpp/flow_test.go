package smpp

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/sms/smpp/standin"
)

// Messages go out, receipts come back, and at the end both sides' records are
// the same, message by message and part by part.
func TestBooksAgree(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*standin.Options){
		"parameters":      func(*standin.Options) {},
		"text":            func(o *standin.Options) { o.TextReceipts = true },
		"early receipts":  func(o *standin.Options) { o.EarlyReceipt = true },
		"delayed":         func(o *standin.Options) { o.ReceiptDelay = 50 * time.Millisecond },
		"ledger is amiss": func(o *standin.Options) { o.ReceiptDelay = time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seed, bad, sends = 7, 0.3, 300
			l := &ledger{}
			if name == "ledger is amiss" {
				l.fail = 5
			}
			c, origin := serve(t, func(o *standin.Options) {
				o.Seed, o.Bad = seed, bad
				change(o)
			})
			s := openSender(t, section(origin, "window: 8"), deps(origin, l.sink))
			all := sendAll(t, s, sends)
			agree(t, c, l, all, seed, bad)
			if name == "ledger is amiss" && c.Stats().Repeated == 0 {
				t.Error("no receipt was asked for again")
			}
			sequences := map[string]bool{}
			for _, e := range c.Books().All() {
				key := fmt.Sprint(e.Session, e.Sequence)
				if sequences[key] {
					t.Errorf("two parts have the sequence number %d", e.Sequence)
				}
				sequences[key] = true
			}
			if c.Stats().Binds != 1 {
				t.Errorf("%d binds", c.Stats().Binds)
			}
		})
	}
}

type sent struct {
	m   channels.Message
	ack channels.Ack
	err error
}

// sendAll sends messages of one and of three parts, 16 at once.
func sendAll(t *testing.T, s *sender, n int) []sent {
	t.Helper()
	all := make([]sent, n)
	var running sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			m := message1(t, "")
			if i%3 == 0 {
				m = longMessage(t)
			}
			m.Body = append([]byte(strconv.Itoa(i)+" "), m.Body...)
			all[i].m = m
			all[i].ack, all[i].err = s.Send(t.Context(), m)
		})
	}
	running.Wait()
	return all
}

func agree(t *testing.T, c *standin.Centre, l *ledger, all []sent, seed uint64, bad float64) {
	t.Helper()
	shown := map[string]standin.Message{}
	for _, m := range standin.Messages(c.Books().All()) {
		shown[m.To] = m
	}
	refused, failed := 0, 0
	for _, x := range all {
		verdict := standin.Verdict(x.m.To.Reveal(), seed, bad)
		got := shown[x.m.To.Reveal()]
		if verdict == "" {
			refused++
			if e := channels.AsError(x.err); x.err == nil || e.Fault != channels.FaultAddress || e.Code != "0x0B" || len(got.IDs) > 0 {
				t.Errorf("a bad number came to %v, %+v", x.err, got)
			}
			continue
		}
		if x.err != nil || x.ack.Outcome != channels.Accepted || !got.Whole || got.Text != string(x.m.Body) || got.From != source || x.ack.ProviderRef != got.IDs[0] {
			t.Errorf("sent %q: %+v, %v; the phone shows %+v", x.m.Body, x.ack, x.err, got)
			continue
		}
		until(t, "a receipt", func() bool { return len(l.of(x.m.Ref)) > 0 })
		r := l.of(x.m.Ref)
		want := channels.Receipt{Kind: channels.SMS, Ref: x.m.Ref, Outcome: channels.Delivered, ProviderRef: r[0].ProviderRef, At: r[0].At}
		if verdict != "DELIVRD" {
			failed++
			want.Outcome, want.Fault, want.Code = channels.Failed, channels.FaultTransient, verdict+" 027"
			if verdict == "UNDELIV" {
				want.RetryAfter = 10 * time.Minute
			}
		}
		if len(r) != 1 || r[0] != want {
			t.Errorf("receipts are %+v, want %+v", r, want)
		}
	}
	if refused == 0 || failed == 0 || len(shown) != len(all)-refused {
		t.Errorf("%d refused, %d failed, %d phones of %d", refused, failed, len(shown), len(all))
	}
}

// Each way a centre can break is told for what it is, and its books say what it
// had taken.
func TestCentreFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*standin.Options)
		want       channels.Fault
		short      int // parts of a short message in the books
		long       int // parts of a long one
		code, text string
	}{
		"hangs":    {func(o *standin.Options) { o.Fault = standin.FaultHang }, channels.FaultAmbiguous, 1, 1, "", ""},
		"drops":    {func(o *standin.Options) { o.Fault = standin.FaultDrop }, channels.FaultAmbiguous, 1, 1, "", ""},
		"garbage":  {func(o *standin.Options) { o.Fault = standin.FaultGarbage }, channels.FaultAmbiguous, 1, 1, "", ""},
		"drips":    {func(o *standin.Options) { o.Fault = standin.FaultSlow }, channels.FaultAmbiguous, 1, 1, "", ""},
		"system":   {func(o *standin.Options) { o.Fault = standin.FaultOutage }, channels.FaultTransient, 0, 0, "0x08", ""},
		"is full":  {func(o *standin.Options) { o.Fault = standin.FaultFull }, channels.FaultThrottled, 0, 0, "0x14", ""},
		"cuts":     {func(o *standin.Options) { o.Fault = standin.FaultCut }, channels.FaultAmbiguous, 0, 0, "", ""},
		"revokes":  {func(o *standin.Options) { o.Fault = standin.FaultRevoked }, channels.FaultProvider, 0, 0, "0x0E", "bind refused"},
		"throttle": {func(o *standin.Options) { o.Rate, o.Burst = 1e-9, 1 }, channels.FaultThrottled, 1, 1, "0x58", ""},
	} {
		for kind, parts := range map[string]int{"short": c.short, "long": c.long} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				centre, origin := serve(t, func(o *standin.Options) {
					o.Share = 1
					c.change(o)
				})
				s := openSender(t, section(origin, "timeout: 1s"), deps(origin, nil))
				if name == "throttle" {
					if _, err := s.Send(t.Context(), message1(t, "")); err != nil {
						t.Fatal(err)
					}
				}
				m := message1(t, "")
				if kind == "long" {
					m = longMessage(t)
				}
				_, err := s.Send(t.Context(), m)
				e := channels.AsError(err)
				if err == nil || e.Fault != c.want || e.Code != c.code {
					t.Fatalf("error is %v, want %v with %q", err, c.want, c.code)
				}
				if n := centre.Books().Len(); n != parts {
					t.Errorf("%d parts in the books, want %d", n, parts)
				}
				if st := centre.Stats(); st.Broken+st.Throttled+st.Unbound == 0 {
					t.Errorf("the fault did not happen: %+v", st)
				}
			})
		}
	}
}

// A text of which a part was taken is never called refused: the person may be
// shown that part.
func TestTakenInPartIsAmbiguous(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	c, origin := serve(t, func(o *standin.Options) { o.Fault, o.Share = standin.FaultLater, 1 })
	s := openSender(t, section(origin, "timeout: 1s"), deps(origin, l.sink))
	m := longMessage(t)
	_, err := s.Send(t.Context(), m)
	if e := channels.AsError(err); err == nil || e.Fault != channels.FaultAmbiguous || e.Code != "0x08" {
		t.Errorf("error is %v", err)
	}
	got := standin.Messages(c.Books().All())
	if len(got) != 1 || got[0].Whole || c.Stats().Broken < 2 {
		t.Errorf("books hold %+v; the later part was refused %d times", got, c.Stats().Broken)
	}
	until(t, "the receipt of the first part", func() bool { return c.Stats().Receipts == 1 })
	if r := l.of(m.Ref); len(r) != 0 {
		t.Errorf("a part that arrived says of the whole %+v", r)
	}
}

// A later part that was certainly not taken is tried again, and the phone shows
// one whole text.
func TestLaterPartsAreTriedAgain(t *testing.T) {
	t.Parallel()
	c, origin := serve(t, func(o *standin.Options) { o.Fault, o.Share, o.Seed = standin.FaultLater, 0.6, 3 })
	s := openSender(t, section(origin), deps(origin, nil))
	for range 5 {
		if ack, err := s.Send(t.Context(), longMessage(t)); err != nil || ack.Outcome != channels.Accepted {
			t.Fatalf("%+v, %v", ack, err)
		}
	}
	for _, m := range standin.Messages(c.Books().All()) {
		if !m.Whole || m.Text != long {
			t.Errorf("a phone shows %+v", m)
		}
	}
	if c.Stats().Broken == 0 || c.Books().Len() != 15 {
		t.Errorf("%+v", c.Stats())
	}
}
