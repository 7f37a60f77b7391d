package smpp

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
	"loa/channels/sms/smpp/standin"
)

// A connection that breaks is bound again by itself, and receipts that came due
// meanwhile arrive.
func TestReconnects(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	c, origin := serve(t, func(o *standin.Options) { o.ReceiptDelay = 300 * time.Millisecond })
	s := openSender(t, section(origin), deps(origin, l.sink))
	m := message1(t, "")
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	c.Drop()
	until(t, "a second bind", func() bool { return c.Stats().Binds == 2 })
	until(t, "the receipt", func() bool { return len(l.of(m.Ref)) == 1 })
	if _, err := s.Send(t.Context(), message1(t, "")); err != nil {
		t.Errorf("send after the connection broke: %v", err)
	}
}

// While the link rests after a failure, sends fail at once and say that nothing
// was sent.
func TestRestsAfterARefusal(t *testing.T) {
	t.Parallel()
	c, origin := serve(t, func(o *standin.Options) { o.Fault, o.Share = standin.FaultRevoked, 1 })
	s := openSender(t, section(origin), deps(origin, nil))
	for range 50 {
		_, err := s.Send(t.Context(), message1(t, ""))
		if e := channels.AsError(err); err == nil || e.Fault != channels.FaultProvider || !e.Account || e.Code != "0x0E" {
			t.Fatalf("error is %v", err)
		}
	}
	if n := c.Stats().Unbound; n != 1 {
		t.Errorf("%d binds were tried in a rest", n)
	}
}

// Credentials that are taken back while bound are told as such, once.
func TestRevokedWhileBound(t *testing.T) {
	t.Parallel()
	c, origin := serve(t, nil)
	s := openSender(t, section(origin), deps(origin, nil))
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	c.Break(standin.FaultRevoked, 1)
	until(t, "the refused bind", func() bool { return c.Stats().Unbound == 1 })
	until(t, "its error", func() bool {
		_, err := s.Send(t.Context(), message1(t, ""))
		return err != nil && channels.AsError(err).Fault == channels.FaultProvider
	})
	if err := s.Check(t.Context()); err == nil || channels.AsError(err).Code != "0x0E" {
		t.Errorf("check: %v", err)
	}
	if c.Books().Len() != 0 {
		t.Error("something was taken")
	}
}

// An answer that comes after its call has given up is evidence still.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	release := make(chan struct{})
	var met atomic.Int64
	origin := listen(t, func(conn net.Conn) {
		centre(func(conn net.Conn, f *frame) bool {
			<-release
			p := &pdu.SubmitSMResp{MessageID: "late-1"}
			p.CommandID = data.SUBMIT_SM_RESP
			send(conn, response(p, f.SequenceNumber, data.ESME_ROK))
			return true
		})(conn, func() { met.Add(1) })
	})
	s := openSender(t, section(origin), deps(origin, l.sink))
	m := message1(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, m)
		result <- err
	}()
	until(t, "the message at the centre", func() bool { return met.Load() == 1 })
	cancel()
	if err := <-result; err == nil || channels.AsError(err).Fault != channels.FaultAmbiguous {
		t.Fatalf("error is %v", err)
	}
	close(release)
	until(t, "its late acceptance", func() bool { return len(l.of(m.Ref)) == 1 })
	if r := l.of(m.Ref)[0]; r.Outcome != channels.Accepted || r.ProviderRef != "late-1" {
		t.Errorf("receipt is %+v", r)
	}
}

// A peer that has gone silent is left: the next message meets a new connection
// and not the same silence.
func TestSilentPeerIsLeft(t *testing.T) {
	t.Parallel()
	var binds atomic.Int64
	origin := listen(t, func(conn net.Conn) {
		if binds.Add(1) > 1 {
			status(data.ESME_ROK)(conn, func() {})
			return
		}
		centre(func(net.Conn, *frame) bool { return true })(conn, func() {})
	})
	s := openSender(t, section(origin, "timeout: 200ms"), deps(origin, nil))
	if _, err := s.Send(t.Context(), message1(t, "")); err == nil || channels.AsError(err).Fault != channels.FaultAmbiguous {
		t.Fatalf("error is %v", err)
	}
	until(t, "a send on a new connection", func() bool {
		_, err := s.Send(t.Context(), message1(t, ""))
		if err != nil && channels.AsError(err).Fault == channels.FaultAmbiguous {
			t.Fatal("the same silence again")
		}
		return err == nil
	})
}

// An idle connection is asked whether it lives, and one that does not answer is
// bound again.
func TestEnquires(t *testing.T) {
	t.Parallel()
	var binds, asked atomic.Int64
	origin := listen(t, func(conn net.Conn) {
		first := binds.Add(1) == 1
		for {
			f, err := readFrame(conn)
			if err != nil {
				return
			}
			switch f.CommandID {
			case data.BIND_TRANSCEIVER:
				send(conn, response(pdu.NewBindTransceiverResp(), f.SequenceNumber, data.ESME_ROK))
			case data.ENQUIRE_LINK:
				if n := asked.Add(1); first && n > 2 {
					continue
				}
				send(conn, response(pdu.NewEnquireLinkResp(), f.SequenceNumber, data.ESME_ROK))
			}
		}
	})
	s := openSender(t, section(origin, "timeout: 200ms", "enquire: 100ms"), deps(origin, nil))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "a bind after the silence", func() bool { return binds.Load() >= 2 })
	if asked.Load() < 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// The window bounds what waits for an answer.
func TestWindow(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	hold := make(chan *frame, 64)
	origin := listen(t, func(conn net.Conn) {
		go func() {
			for f := range hold {
				time.Sleep(time.Millisecond) // lets a driver without a window write more
				now.Add(-1)
				p := &pdu.SubmitSMResp{MessageID: "x" + codeText(data.CommandStatusType(f.SequenceNumber))}
				p.CommandID = data.SUBMIT_SM_RESP
				send(conn, response(p, f.SequenceNumber, data.ESME_ROK))
			}
		}()
		centre(func(_ net.Conn, f *frame) bool {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			hold <- f
			return true
		})(conn, func() {})
		close(hold)
	})
	s := openSender(t, section(origin, "window: 3"), deps(origin, nil))
	for _, x := range sendAll(t, s, 60) {
		if x.err != nil {
			t.Fatal(x.err)
		}
	}
	if most.Load() > 3 || s.Concurrency() != 3 {
		t.Errorf("%d waited at once, window %d", most.Load(), s.Concurrency())
	}
}

// listen plays a centre until the test ends.
func listen(t *testing.T, play func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				play(conn)
				_ = conn.Close() // the driver may have closed it first
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return "smpp://" + l.Addr().String()
}
