package smpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"loa/channels"
	"loa/channels/sms/smpp/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	systemID = "loa-qninh"
	password = "s3cr3t!x"
	source   = "QuangNinh"
)

func section(address string, extra ...string) string {
	return strings.Join(append([]string{
		"address: " + address, "system_id: " + systemID, "password: " + password, "from: " + source,
	}, extra...), "\n")
}

// decode reads strictly, and leaves the source out of its errors: it may hold
// a password beside the line that is wrong.
func decode(text string) func(any) error {
	return func(v any) error {
		err := yaml.UnmarshalWithOptions([]byte(text), v, yaml.Strict())
		if err != nil {
			return errors.New(yaml.FormatError(err, false, false))
		}
		return nil
	}
}

func deps(origin string, sink channels.Sink) channels.Deps {
	if sink == nil {
		sink = func(context.Context, ...channels.Receipt) error { return nil }
	}
	return channels.Deps{Sink: sink, Origin: origin, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func openSender(t testing.TB, text string, d channels.Deps) *sender {
	t.Helper()
	v, err := Driver().Open(decode(text), d)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s, ok := v.(*sender)
	if !ok {
		t.Fatalf("open returned a %T", v)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var sequence atomic.Int64

const short = "Cảnh báo lũ quét, hãy rời khỏi bờ suối ngay"

// long is a text of three parts.
var long = strings.TrimSpace(strings.Repeat(short+". ", 4))

func message1(testing.TB, string) channels.Message {
	n := sequence.Add(1)
	return channels.Message{
		Ref: fmt.Sprintf("ref-%d", n), Alert: "VN-1", Revision: 1, Status: channels.Test, Language: "vi",
		Expires: time.Now().Add(time.Hour), To: channels.Address(fmt.Sprintf("+8491%07d", n)), Body: []byte(short),
	}
}

func longMessage(t testing.TB) channels.Message {
	m := message1(t, "")
	m.Body = []byte(long)
	return m
}

// serve runs a stand-in until the test ends and returns its origin.
func serve(t testing.TB, change func(*standin.Options)) (*standin.Centre, string) {
	t.Helper()
	c, address := serveOn(t, func(l net.Listener) net.Listener { return l }, change)
	return c, "smpp://" + address
}

func serveTLS(t testing.TB, settings *tls.Config) (*standin.Centre, string) {
	t.Helper()
	c, address := serveOn(t, func(l net.Listener) net.Listener { return tls.NewListener(l, settings) }, nil)
	return c, "smpps://" + address
}

func serveOn(t testing.TB, wrap func(net.Listener) net.Listener, change func(*standin.Options)) (*standin.Centre, string) {
	t.Helper()
	opt := standin.Options{SystemID: systemID, Password: password}
	if change != nil {
		change(&opt)
	}
	c, err := standin.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.Serve(wrap(l)) }()
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return c, l.Addr().String()
}

// ledger keeps what comes back, by reference.
type ledger struct {
	mu   sync.Mutex
	all  map[string][]channels.Receipt
	fail int // calls to refuse first
}

func (l *ledger) sink(_ context.Context, rs ...channels.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail > 0 {
		l.fail--
		return errors.New("disk full")
	}
	if l.all == nil {
		l.all = map[string][]channels.Receipt{}
	}
	for _, r := range rs {
		l.all[r.Ref] = append(l.all[r.Ref], r)
	}
	return nil
}

func (l *ledger) of(ref string) []channels.Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[ref]
}

// until polls a condition that must come true.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}
