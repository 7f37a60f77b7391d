package standin

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, change func(*Options)) (*Centre, string) {
	t.Helper()
	opt := Options{SystemID: "loa", Password: "pw"}
	if change != nil {
		change(&opt)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return c, l.Addr().String()
}

// client is a sender of the test's own.
type client struct {
	t    *testing.T
	conn net.Conn
	last uint32
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, conn: conn}
}

// ask sends a request and returns its answer; closed means there was none.
func (c *client) ask(command uint32, body []byte) (answer packet, closed bool) {
	c.t.Helper()
	c.last++
	if _, err := c.conn.Write(packet{command: command, sequence: c.last, body: body}.octets()); err != nil {
		return packet{}, true
	}
	for {
		p, err := readPacket(c.conn)
		if err != nil {
			return packet{}, true
		}
		if p.sequence == c.last && p.command&cmdResponse != 0 {
			return p, false
		}
	}
}

func bindBody(systemID, password string) []byte {
	return slices.Concat(terminated(systemID), terminated(password), terminated(""), []byte{0x34, 0, 0, 0})
}

func bound(t *testing.T, address string) *client {
	t.Helper()
	c := dial(t, address)
	if a, closed := c.ask(cmdBindTRX, bindBody("loa", "pw")); closed || a.status != statusOK {
		t.Fatalf("bind answered %#x", a.status)
	}
	return c
}

func submitBody(to, validity string, class, coding byte, text []byte) []byte {
	return slices.Concat([]byte{0, 5, 0}, terminated("QuangNinh"), []byte{1, 1}, terminated(to), []byte{class, 0, 0, 0},
		terminated(validity), []byte{1, 0, coding, 0, byte(len(text))}, text)
}

func TestBinds(t *testing.T) {
	t.Parallel()
	c, address := open(t, nil)
	for name, want := range map[string]struct {
		body   []byte
		status uint32
	}{
		"good":         {bindBody("loa", "pw"), statusOK},
		"other id":     {bindBody("lao", "pw"), statusSystemID},
		"other secret": {bindBody("loa", "wp"), statusPassword},
		"no secret":    {bindBody("loa", ""), statusPassword},
		"cut":          {[]byte("loa"), statusSystem},
		"old version":  {slices.Concat(terminated("loa"), terminated("pw"), terminated(""), []byte{0x33, 0, 0, 0}), statusSystem},
	} {
		if a, closed := dial(t, address).ask(cmdBindTRX, want.body); closed || a.status != want.status {
			t.Errorf("%s: answered %#x", name, a.status)
		}
	}
	if a, closed := dial(t, address).ask(cmdSubmit, submitBody("84912345678", "", 0, 0, []byte("x"))); closed || a.status != statusNotBound {
		t.Errorf("submit before bind: %#x", a.status)
	}
	if st := c.Stats(); st.Binds != 1 || st.Unbound != 5 || st.Accepted != 0 {
		t.Errorf("%+v", st)
	}
}

func TestSubmits(t *testing.T) {
	t.Parallel()
	c, address := open(t, nil)
	n := bound(t, address)
	ucs2 := func(units ...uint16) []byte {
		var raw []byte
		for _, u := range units {
			raw = binary.BigEndian.AppendUint16(raw, u)
		}
		return raw
	}
	const to = "84912345678"
	for name, want := range map[string]struct {
		body   []byte
		status uint32
	}{
		"7 bits":           {submitBody(to, "", 0, 0, []byte("abc\x1b\x65")), statusOK},
		"16 bits":          {submitBody(to, "000000010000000R", 0, 8, ucs2(0x1eef, 0xd83c, 0xdf0a)), statusOK},
		"part":             {submitBody(to, "", 0x40, 0, []byte("\x05\x00\x03\x09\x02\x01abc")), statusOK},
		"plus sign":        {submitBody("+"+to, "", 0, 0, []byte("a")), statusNumber},
		"no number":        {submitBody("", "", 0, 0, []byte("a")), statusNumber},
		"validity":         {submitBody(to, "tomorrow", 0, 0, []byte("a")), statusExpiry},
		"empty":            {submitBody(to, "", 0, 0, nil), 0x01},
		"161 characters":   {submitBody(to, "", 0, 0, make([]byte, 161)), 0x01},
		"71 characters":    {submitBody(to, "", 0, 8, make([]byte, 142)), 0x01},
		"part of 154":      {submitBody(to, "", 0x40, 0, append([]byte("\x05\x00\x03\x09\x02\x01"), make([]byte, 154)...)), 0x01},
		"half a character": {submitBody(to, "", 0, 8, ucs2(0xd83c)), statusClass},
		"escape at end":    {submitBody(to, "", 0, 0, []byte("a\x1b")), statusClass},
		"8 bits":           {submitBody(to, "", 0, 0, []byte("\xff")), statusClass},
		"other coding":     {submitBody(to, "", 0, 4, []byte("a")), statusClass},
		"part 3 of 2":      {submitBody(to, "", 0x40, 0, []byte("\x05\x00\x03\x09\x02\x03abc")), statusClass},
		"no header":        {submitBody(to, "", 0x40, 0, []byte("abc")), statusClass},
		"cut":              {[]byte{0, 5, 0}, statusClass},
	} {
		if a, closed := n.ask(cmdSubmit, want.body); closed || a.status != want.status {
			t.Errorf("%s: answered %#x, want %#x", name, a.status, want.status)
		}
	}
	if c.Books().Len() != 3 || c.Stats().Refused != 14 {
		t.Errorf("%d in the books, %+v", c.Books().Len(), c.Stats())
	}
	if a, closed := n.ask(0x00000103, nil); closed || a.command != cmdNack || a.status != statusCommand {
		t.Errorf("an unknown command was answered %#x %#x", a.command, a.status)
	}
	if _, closed := n.ask(cmdUnbind, nil); closed {
		t.Error("unbind was not answered")
	}
}

// What the books said before a crash they say after it, and a line cut short is
// left out.
func TestBooksLast(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "books")
	c, address := open(t, func(o *Options) { o.BooksFile = path })
	n := bound(t, address)
	for range 3 {
		if a, closed := n.ask(cmdSubmit, submitBody("84912345678", "", 0, 0, []byte("a"))); closed || a.status != statusOK {
			t.Fatalf("answered %#x", a.status)
		}
	}
	on, err := ReadBooks(path) // while it still runs: an answer means that it is there
	if err != nil || len(on) != 3 {
		t.Fatalf("%d entries, %v", len(on), err)
	}
	if diff := cmp.Diff(c.Books().All(), on); diff != "" {
		t.Error(diff)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"00000004","to":"+849`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again, address := open(t, func(o *Options) { o.BooksFile = path })
	if a, closed := bound(t, address).ask(cmdSubmit, submitBody("84912345678", "", 0, 0, []byte("b"))); closed || a.status != statusOK {
		t.Fatalf("answered %#x", a.status)
	}
	got, err := ReadBooks(path)
	if err != nil || len(got) != 4 || got[3].ID != "00000004" || got[3].Text != "b" || again.Books().Len() != 4 {
		t.Errorf("after the crash: %+v, %v", got, err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	part := func(id string, ref byte, n, of int, text string) Entry {
		return Entry{ID: id, To: "+84912345678", From: "Q", Reference: ref, Part: n, Parts: of, Text: text}
	}
	got := Messages([]Entry{
		part("1", 0, 1, 1, "one"), part("2", 7, 2, 2, "b"), part("3", 8, 1, 2, "x"), part("4", 7, 1, 2, "a"),
		part("5", 7, 1, 2, "c"), part("6", 0, 1, 1, "one"),
	})
	want := []Message{
		{To: "+84912345678", From: "Q", Text: "one", Whole: true, IDs: []string{"1"}},
		{To: "+84912345678", From: "Q", Text: "ab", Whole: true, IDs: []string{"2", "4"}},
		{To: "+84912345678", From: "Q", Text: "x", IDs: []string{"3"}},
		{To: "+84912345678", From: "Q", Text: "c", IDs: []string{"5"}},
		{To: "+84912345678", From: "Q", Text: "one", Whole: true, IDs: []string{"6"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Options{
		"no id":     {Password: "x"},
		"no secret": {SystemID: "x"},
		"share":     {SystemID: "x", Password: "x", Share: 1.1},
		"bad":       {SystemID: "x", Password: "x", Bad: -1},
		"fault":     {SystemID: "x", Password: "x", Fault: "gremlins"},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("%s was let through", name)
		}
	}
}
