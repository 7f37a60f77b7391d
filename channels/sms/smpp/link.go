package smpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
)

// How long to rest after a connection that failed, doubled each time. Refused
// credentials rest long from the start: centres lock accounts that keep trying.
const (
	firstRest   = time.Second
	longestRest = 8 * time.Second
	refusedRest = 30 * time.Second
	steady      = 10 * time.Second // a session that lasted so long did not fail at once
)

// connectTimeout bounds dialling, the TLS handshake and the bind each.
const connectTimeout = 3 * time.Second

// link keeps one session bound, from the first send on. While it rests after a
// failure, sends fail at once with that failure; none of them was written.
type link struct {
	cfg      *config
	receipts *receipts
	log      *slog.Logger
	ctx      context.Context // ends with close
	cancel   context.CancelFunc
	keeper   sync.WaitGroup

	mu      sync.Mutex
	started bool
	session *session
	failure *channels.Error
	changed chan struct{} // closed at every change of the two above
}

func newLink(ctx context.Context, cancel context.CancelFunc, cfg *config, r *receipts, log *slog.Logger) *link {
	return &link{ctx: ctx, cancel: cancel, cfg: cfg, receipts: r, log: log, changed: make(chan struct{})}
}

func (l *link) close() {
	l.mu.Lock()
	s := l.session
	l.started = true // nothing starts after this
	l.mu.Unlock()
	if s != nil && !s.isGone() {
		ctx, done := context.WithTimeout(l.ctx, time.Second)
		_, _ = s.write(ctx, marshal(pdu.NewUnbind())) // out of courtesy
		done()
	}
	l.cancel() // ends the session too
	l.keeper.Wait()
}

// acquire returns a bound session, or why there is none.
func (l *link) acquire(ctx context.Context) (*session, error) {
	for {
		if ctx.Err() != nil {
			return nil, unsent(ctx.Err())
		}
		l.mu.Lock()
		if !l.started {
			l.started = true
			l.keeper.Go(l.keep)
		}
		s, failure, changed := l.session, l.failure, l.changed
		l.mu.Unlock()
		if s != nil && !s.isGone() {
			return s, nil
		}
		if failure != nil {
			return nil, failure
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-l.ctx.Done():
			return nil, unsent(errors.New("driver is closed"))
		}
	}
}

func (l *link) set(s *session, failure *channels.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.failure = s, failure
	close(l.changed)
	l.changed = make(chan struct{})
}

// keep binds, serves the session until it breaks, and binds again.
func (l *link) keep() {
	rest := time.Duration(0)
	for l.ctx.Err() == nil {
		l.set(nil, nil)
		s, failure := l.bind()
		if failure == nil {
			l.log.Info("smpp bound")
			l.set(s, nil)
			began := time.Now()
			l.serve(s)
			if l.ctx.Err() != nil {
				return
			}
			l.log.Warn("smpp connection lost")
			if time.Since(began) >= steady {
				rest = 0
				continue
			}
			failure = unsent(errLost)
		} else {
			l.log.Warn("smpp not bound", "fault", failure.Fault.String(), "code", failure.Code)
		}
		rest = min(max(2*rest, firstRest), longestRest)
		pause := rest
		if failure.Account {
			pause = refusedRest
		}
		l.set(nil, failure)
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
		}
	}
}

// serve runs a session until it ends or the driver is closed.
func (l *link) serve(s *session) {
	stop := context.AfterFunc(l.ctx, s.fail)
	defer stop()
	s.run()
}

// bind opens a connection and binds it as a transceiver. Whatever fails, no
// message was written.
func (l *link) bind() (*session, *channels.Error) {
	conn, err := l.dial()
	if err != nil {
		return nil, &channels.Error{Fault: channels.FaultTransient, Err: fmt.Errorf("no connection: %w", err)}
	}
	stop := context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	defer stop()
	if failure := l.introduce(conn); failure != nil {
		_ = conn.Close() // the failure is told already
		return nil, failure
	}
	return newSession(l.ctx, l.cfg, conn, l.receipts), nil
}

func (l *link) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: min(connectTimeout, l.cfg.timeout)}
	if l.cfg.tls == nil {
		return dialer.DialContext(l.ctx, "tcp", l.cfg.host)
	}
	ctx, cancel := context.WithTimeout(l.ctx, 2*dialer.Timeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: dialer, Config: l.cfg.tls}).DialContext(ctx, "tcp", l.cfg.host)
}

// maxBefore is how many PDUs a centre may send before it answers a bind.
const maxBefore = 16

// introduce sends bind_transceiver and waits for its answer.
func (l *link) introduce(conn net.Conn) *channels.Error {
	broken := &channels.Error{Fault: channels.FaultTransient, Err: errors.New("connection broke before it was bound")}
	if conn.SetDeadline(time.Now().Add(min(connectTimeout, l.cfg.timeout))) != nil {
		return broken
	}
	b := pdu.NewBindRequest(pdu.Transceiver)
	b.SystemID, b.Password, b.SystemType = l.cfg.SystemID, l.cfg.Password.Reveal(), l.cfg.SystemType
	b.SetSequenceNumber(1)
	if _, err := conn.Write(marshal(b)); err != nil {
		return broken
	}
	for range maxBefore {
		f, err := readFrame(conn)
		if err != nil {
			return broken
		}
		if f.CommandID != data.BIND_TRANSCEIVER_RESP && f.CommandID != data.GENERIC_NACK {
			continue
		}
		if f.refuses() || f.CommandID == data.GENERIC_NACK {
			return unbound(f.CommandStatus)
		}
		if conn.SetDeadline(time.Time{}) != nil {
			return broken
		}
		return nil
	}
	return broken
}
