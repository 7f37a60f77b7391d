package standin

import (
	"crypto/subtle"
	"fmt"
	"net"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	idle        = 5 * time.Minute
	writeWithin = 5 * time.Second
	repeatAfter = 200 * time.Millisecond // of a receipt the sender could not keep
)

// conn is one connection. Until it has bound, session is zero.
type conn struct {
	c       *Centre
	raw     net.Conn
	session int
	write   sync.Mutex

	mu       sync.Mutex
	sequence uint32
	awaited  map[uint32]report
	left     bool
}

// report is a receipt on its way.
type report struct{ entry Entry }

func (c *Centre) serve(raw net.Conn) {
	n := &conn{c: c, raw: raw, awaited: map[uint32]report{}}
	stopped := make(chan struct{})
	c.work.Go(func() {
		select {
		case <-c.quit:
			_ = raw.Close() // its reader tells of it
		case <-stopped:
		}
	})
	defer close(stopped)
	defer n.leave()
	for {
		if raw.SetReadDeadline(time.Now().Add(idle)) != nil {
			return
		}
		p, err := readPacket(raw)
		if err != nil {
			if err == errLength { //nolint:errorlint // it is ours, unwrapped
				n.answer(packet{command: cmdNack, status: statusLength})
			}
			return
		}
		if !n.handle(p) {
			return
		}
	}
}

// leave takes the connection off the list; receipts it did not acknowledge go
// to who binds next.
func (n *conn) leave() {
	_ = n.raw.Close() // it is done with
	n.mu.Lock()
	var open []report
	for _, r := range n.awaited {
		open = append(open, r)
	}
	n.awaited, n.left = nil, true
	n.mu.Unlock()
	n.c.mu.Lock()
	n.c.bound = slices.DeleteFunc(n.c.bound, func(b *conn) bool { return b == n })
	n.c.mu.Unlock()
	for _, r := range open {
		n.c.send(r)
	}
}

func (n *conn) answer(p packet) bool {
	n.write.Lock()
	defer n.write.Unlock()
	if n.raw.SetWriteDeadline(time.Now().Add(writeWithin)) != nil {
		return false
	}
	_, err := n.raw.Write(p.octets())
	return err == nil
}

func (n *conn) respond(to packet, status uint32, body []byte) bool {
	return n.answer(packet{command: to.command | cmdResponse, status: status, sequence: to.sequence, body: body})
}

// handle takes one PDU and reports whether the connection goes on.
func (n *conn) handle(p packet) bool {
	switch p.command {
	case cmdBindTRX:
		return n.bind(p)
	case cmdEnquire:
		return n.respond(p, statusOK, nil)
	case cmdUnbind:
		n.respond(p, statusOK, nil)
		return false
	case cmdSubmit:
		return n.submit(p)
	case cmdDeliver | cmdResponse:
		n.acknowledged(p)
		return true
	default:
		if p.command&cmdResponse != 0 {
			return true
		}
		return n.answer(packet{command: cmdNack, status: statusCommand, sequence: p.sequence})
	}
}

func (n *conn) bind(p packet) bool {
	refuse := func(status uint32) bool {
		n.c.unbound.Add(1)
		n.respond(p, status, nil) // no body, as many centres do
		return false
	}
	b, err := readBind(p.body)
	switch {
	case err != nil:
		return refuse(statusSystem)
	case n.session != 0:
		return refuse(statusBound)
	case b.systemID != n.c.opt.SystemID:
		return refuse(statusSystemID)
	case subtle.ConstantTimeCompare([]byte(b.password), []byte(n.c.opt.Password)) != 1, n.c.broken.Load().fault == FaultRevoked:
		return refuse(statusPassword)
	}
	n.session = int(n.c.binds.Add(1))
	if !n.respond(p, statusOK, terminated("standin")) {
		return false
	}
	n.c.mu.Lock()
	n.c.bound = append(n.c.bound, n)
	due := n.c.due
	n.c.due = nil
	n.c.mu.Unlock()
	for _, r := range due {
		n.c.send(r)
	}
	return true
}

var (
	numberForm   = regexp.MustCompile(`^[1-9][0-9]{6,14}$`)
	validityForm = regexp.MustCompile(`^([0-9]{15}[R+-])?$`)
)

// faulty returns the status of what is wrong with a part, or 0.
func (c *Centre) faulty(s submit, text []byte, h concat) uint32 {
	switch {
	case s.toTON != 1 || s.toNPI != 1 || !numberForm.MatchString(s.to) || Verdict("+"+s.to, c.opt.Seed, c.opt.Bad) == "":
		return statusNumber
	case !validityForm.MatchString(s.validity):
		return statusExpiry
	case s.class&^0x40 != 0:
		return statusClass
	case s.from == "":
		return 0x0A
	case !fits(s.coding, h, text):
		return 0x01
	}
	return statusOK
}

// submit takes a part, or says why not.
func (n *conn) submit(p packet) bool {
	c := n.c
	c.requests.Add(1)
	if n.session == 0 {
		return n.respond(p, statusNotBound, nil)
	}
	s, err := readSubmit(p.body)
	h, octets, headErr := headed(s.class, s.text)
	text, textErr := decode(s.coding, octets)
	if err != nil || headErr != nil || textErr != nil {
		c.refused.Add(1)
		return n.respond(p, statusClass, nil)
	}
	fault := c.breaks(int(h.part))
	switch fault {
	case FaultOutage, FaultLater:
		return n.respond(p, statusSystem, nil)
	case FaultFull:
		return n.respond(p, statusFull, nil)
	case FaultCut:
		return false
	}
	if c.limit != nil && !c.limit.AllowN(c.opt.Now(), 1) {
		c.throttled.Add(1)
		return n.respond(p, statusThrottled, nil)
	}
	if status := c.faulty(s, octets, h); status != statusOK {
		c.refused.Add(1)
		return n.respond(p, status, nil)
	}
	e, err := c.books.add(Entry{
		To: "+" + s.to, From: s.from, Text: text, Reference: h.reference, Part: int(h.part), Parts: int(h.parts),
		Session: n.session, Sequence: p.sequence, State: Verdict("+"+s.to, c.opt.Seed, c.opt.Bad), At: c.opt.Now().UTC(),
	})
	if err != nil {
		return n.respond(p, statusSystem, nil)
	}
	c.accepted.Add(1)
	return n.taken(p, s, e, fault)
}

// taken answers for a part in the books, in the way the fault allows.
func (n *conn) taken(p packet, s submit, e Entry, fault Fault) bool {
	report := func() {
		if s.register&1 != 0 && !n.c.opt.NoReceipts {
			n.c.later(report{e})
		}
	}
	if n.c.opt.EarlyReceipt {
		report()
	} else {
		defer report()
	}
	switch fault {
	case FaultHang:
		return true
	case FaultDrop:
		return false
	case FaultGarbage:
		n.answer(packet{command: 0x7f7f7f7f, sequence: p.sequence, body: []byte("HTTP/1.1 200 OK")})
		_, _ = n.raw.Write([]byte("\x00\x00\x00\x01garbage that is no PDU")) // the peer may be gone
		return true
	case FaultSlow:
		return n.drip(packet{command: cmdSubmit | cmdResponse, sequence: p.sequence, body: terminated(e.ID)}.octets())
	}
	return n.respond(p, statusOK, terminated(e.ID))
}

// drip writes one octet a second.
func (n *conn) drip(octets []byte) bool {
	n.write.Lock()
	defer n.write.Unlock()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, o := range octets {
		if _, err := n.raw.Write([]byte{o}); err != nil {
			return false
		}
		select {
		case <-tick.C:
		case <-n.c.quit:
			return false
		}
	}
	return true
}

// later sends a receipt when it is due.
func (c *Centre) later(r report) {
	if c.opt.ReceiptDelay <= 0 {
		c.send(r)
		return
	}
	c.after(c.opt.ReceiptDelay, func() { c.send(r) })
}

func (c *Centre) after(d time.Duration, do func()) {
	c.work.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			do()
		case <-c.quit:
		}
	})
}

// send gives a receipt to the newest connection, or keeps it for who binds
// next.
func (c *Centre) send(r report) {
	for {
		c.mu.Lock()
		if len(c.bound) == 0 {
			c.due = append(c.due, r)
			c.mu.Unlock()
			return
		}
		n := c.bound[len(c.bound)-1]
		c.mu.Unlock()
		if n.report(r) {
			return
		}
		runtime.Gosched() // it is on its way off the list
	}
}

// report sends a receipt, unless the connection has ended.
func (n *conn) report(r report) bool {
	n.mu.Lock()
	if n.left {
		n.mu.Unlock()
		return false
	}
	n.sequence++
	number := n.sequence
	n.awaited[number] = r
	n.mu.Unlock()
	n.answer(packet{command: cmdDeliver, sequence: number, body: r.body(n.c.opt.TextReceipts)})
	return true
}

// body is the body of deliver_sm with a receipt (SMPP 3.4, 4.6.1 and appendix
// B).
func (r report) body(textOnly bool) []byte {
	states := map[string]byte{"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "REJECTD": 8}
	arrived, code := 0, "000"
	if r.entry.State == "DELIVRD" {
		arrived = 1
	} else {
		code = "027"
	}
	at := r.entry.At.Format("0601021504")
	text := fmt.Sprintf("id:%s sub:001 dlvrd:%03d submit date:%s done date:%s stat:%s err:%s text:%.20s",
		r.entry.ID, arrived, at, at, r.entry.State, code, "-")
	raw := []byte{0, 1, 1}
	raw = append(raw, terminated(r.entry.To[1:])...)
	raw = append(raw, 5, 0)
	raw = append(raw, terminated(r.entry.From)...)
	raw = append(raw, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(text))) // #nosec G115 -- about 110
	raw = append(raw, text...)
	if !textOnly {
		raw = append(raw, optional(tagReceiptedID, terminated(r.entry.ID))...)
		raw = append(raw, optional(tagState, []byte{states[r.entry.State]})...)
	}
	return raw
}

// acknowledged takes the answer to a receipt and sends it again when it was not
// kept.
func (n *conn) acknowledged(p packet) {
	n.mu.Lock()
	r, ok := n.awaited[p.sequence]
	delete(n.awaited, p.sequence)
	n.mu.Unlock()
	switch {
	case !ok:
	case p.status == statusOK:
		n.c.acknowledged.Add(1)
	default:
		n.c.repeated.Add(1)
		n.c.after(repeatAfter, func() { n.c.send(r) })
	}
}
