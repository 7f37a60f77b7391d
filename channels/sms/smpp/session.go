package smpp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
)

// session is one bound connection. When it breaks, every call that waits on it
// is told, and it is not used again.
type session struct {
	ctx      context.Context // of the driver
	cfg      *config
	conn     net.Conn
	receipts *receipts
	turn     chan struct{} // held by who writes
	slots    chan struct{} // one for each submit_sm that waits for its answer
	gone     chan struct{}
	end      sync.Once
	heard    atomic.Int64 // when the peer last sent a whole PDU, UnixNano

	mu       sync.Mutex
	sequence int32
	waiting  map[int32]*request
}

// request is one PDU of ours that waits for its answer.
type request struct {
	answer chan *reply // one, never blocks
	of     *tracked    // nil for enquire_link
	part   int
	left   bool // nobody waits any more; the answer is still evidence
	since  time.Time
}

type reply struct {
	id  string // of a part that was taken
	err error
}

func newSession(ctx context.Context, cfg *config, conn net.Conn, r *receipts) *session {
	s := &session{
		ctx: ctx, cfg: cfg, conn: conn, receipts: r, turn: make(chan struct{}, 1), slots: make(chan struct{}, cfg.Window),
		gone: make(chan struct{}), waiting: map[int32]*request{},
	}
	s.heard.Store(time.Now().UnixNano())
	return s
}

// fail ends the session. What was written and not answered is ambiguous.
func (s *session) fail() {
	s.end.Do(func() {
		close(s.gone)
		_ = s.conn.Close() // it is broken or done with
	})
}

func (s *session) isGone() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// submit sends one part and waits for its answer. Its errors say whether the
// part may have been taken: not before it was written, nor when the centre
// refused it.
func (s *session) submit(ctx context.Context, p *pdu.SubmitSM, t *tracked, part int) (string, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return "", unsent(ctx.Err())
	case <-s.gone:
		return "", unsent(errLost)
	}
	return s.ask(ctx, p, &request{of: t, part: part})
}

// enquire proves that the peer answers.
func (s *session) enquire(ctx context.Context) error {
	_, err := s.ask(ctx, pdu.NewEnquireLink(), &request{})
	return err
}

var errLost = errors.New("connection is lost")

func unsent(err error) *channels.Error {
	return &channels.Error{Fault: channels.FaultTransient, Err: fmt.Errorf("not sent: %w", err)}
}

func unanswered(err error) *channels.Error {
	return &channels.Error{Fault: channels.FaultAmbiguous, Err: fmt.Errorf("no answer: %w", err)}
}

func (s *session) ask(ctx context.Context, p pdu.PDU, r *request) (string, error) {
	r.answer, r.since = make(chan *reply, 1), time.Now()
	number := s.enter(r)
	p.SetSequenceNumber(number)
	if written, err := s.write(ctx, marshal(p)); err != nil {
		s.take(number)
		if written {
			return "", unanswered(err)
		}
		return "", unsent(err)
	}
	select {
	case a := <-r.answer:
		return a.id, a.err
	case <-s.gone:
	case <-ctx.Done():
		s.leave(r)
	}
	select {
	case a := <-r.answer: // it came together with the end
		return a.id, a.err
	default:
	}
	if ctx.Err() != nil {
		return "", unanswered(ctx.Err())
	}
	return "", unanswered(errLost)
}

// enter gives a request a sequence number that no other one waits under.
func (s *session) enter(r *request) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.sequence++
		if s.sequence <= 0 {
			s.sequence = 1
		}
		if s.waiting[s.sequence] == nil {
			s.waiting[s.sequence] = r
			return s.sequence
		}
	}
}

func (s *session) take(number int32) *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.waiting[number]
	delete(s.waiting, number)
	return r
}

// leave marks a request that nobody waits for. A peer that has sent nothing
// since it was written has gone: what else is written would be lost as well.
func (s *session) leave(r *request) {
	s.mu.Lock()
	r.left = true
	s.mu.Unlock()
	if time.Since(r.since) >= s.cfg.timeout/2 && s.heard.Load() < r.since.UnixNano() {
		s.fail()
	}
}

// write puts octets on the wire whole and in turn. written is false when the
// peer cannot have got the PDU.
func (s *session) write(ctx context.Context, octets []byte) (written bool, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.gone:
		return false, errLost
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if s.isGone() {
		return false, errLost
	}
	until := time.Now().Add(s.cfg.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	if err := s.conn.SetWriteDeadline(until); err != nil {
		s.fail()
		return false, errLost
	}
	n, err := s.conn.Write(octets)
	if err != nil {
		s.fail() // a PDU that was cut in two leaves nothing to go on with
		return n > 0, errLost
	}
	return true, nil
}

// run reads until the session ends.
func (s *session) run() {
	var pinger sync.WaitGroup
	pinger.Go(s.ping)
	defer pinger.Wait()
	defer s.fail()
	for {
		if s.conn.SetReadDeadline(time.Now().Add(s.cfg.enquire+s.cfg.timeout)) != nil {
			return
		}
		f, err := readFrame(s.conn)
		if err != nil {
			return
		}
		s.heard.Store(time.Now().UnixNano())
		if s.handle(f) != nil {
			return
		}
	}
}

// ping keeps an idle connection alive and forgets answers that will not come.
func (s *session) ping() {
	tick := time.NewTicker(s.cfg.enquire)
	defer tick.Stop()
	for {
		select {
		case <-s.gone:
			return
		case <-tick.C:
		}
		s.forget(time.Now().Add(-10 * maxTimeout))
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.timeout)
		err := s.enquire(ctx)
		cancel()
		if err != nil {
			s.fail()
			return
		}
	}
}

func (s *session) forget(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, r := range s.waiting {
		if r.left && r.since.Before(before) {
			delete(s.waiting, number)
		}
	}
}

// handle takes one PDU of the peer's. An error ends the session.
func (s *session) handle(f *frame) error {
	switch f.CommandID {
	case data.SUBMIT_SM_RESP:
		s.answered(f)
	case data.GENERIC_NACK:
		if !s.answered(f) {
			return errGarbage // it says of no request of ours that it was broken
		}
	case data.ENQUIRE_LINK_RESP:
		s.answered(f)
	case data.ENQUIRE_LINK:
		return s.respond(pdu.NewEnquireLinkResp(), f.SequenceNumber, data.ESME_ROK)
	case data.DELIVER_SM:
		return s.deliver(f)
	case data.UNBIND:
		_ = s.respond(pdu.NewUnbindResp(), f.SequenceNumber, data.ESME_ROK) // it goes whether it hears or not
		return errLost
	case data.UNBIND_RESP:
		return errLost
	default:
		if !f.answers() {
			return s.respond(pdu.NewGenericNack(), f.SequenceNumber, data.ESME_RINVCMDID)
		}
	}
	return nil
}

func (s *session) respond(p pdu.PDU, sequence int32, status data.CommandStatusType) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.timeout)
	defer cancel()
	_, err := s.write(ctx, response(p, sequence, status))
	return err
}

// answered passes an answer to who waits for it, and its identifier to the
// receipts first, as a receipt may be the very next PDU.
func (s *session) answered(f *frame) bool {
	r := s.take(f.SequenceNumber)
	if r == nil {
		return false
	}
	a := &reply{}
	switch {
	case f.refuses():
		a.err = refused(f.CommandStatus)
	case f.CommandID == data.GENERIC_NACK:
		a.err = refused(data.ESME_RINVCMDID)
	case r.of == nil:
	case f.CommandID != data.SUBMIT_SM_RESP:
		a.err = unanswered(errGarbage)
	default:
		if a.id, a.err = f.messageID(); a.err != nil {
			a.err = unanswered(a.err)
			break
		}
		s.mu.Lock()
		late := r.left
		s.mu.Unlock()
		s.receipts.enter(a.id, r.of, r.part, late)
	}
	r.answer <- a
	return true
}

// deliver takes a delivery receipt. Other messages, such as answers of people,
// are taken and dropped. The centre is told OK when the evidence is kept, and
// to try again when it is not.
func (s *session) deliver(f *frame) error {
	p, err := f.parse()
	if err != nil {
		return err
	}
	d, ok := p.(*pdu.DeliverSM)
	if !ok {
		return errGarbage
	}
	acknowledge := func(kept bool) {
		status := data.ESME_ROK
		if !kept {
			status = data.ESME_RX_T_APPN
		}
		if s.respond(pdu.NewDeliverSMResp(), f.SequenceNumber, status) != nil {
			s.fail()
		}
	}
	rep, ok := readReport(d)
	if !ok {
		acknowledge(true)
		return nil
	}
	if queued, kept := s.receipts.report(rep, acknowledge); !queued {
		acknowledge(kept)
	}
	return nil
}
