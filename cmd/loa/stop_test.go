package main_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopsWhateverHangs: a carrier that takes messages and never answers, and
// app clients that never read and never close. A gateway that is told to stop
// ends within five seconds all the same, and does so cleanly.
func TestStopsWhateverHangs(t *testing.T) {
	t.Parallel()
	p := newProvince(t, 600, func(p *province) { p.carrierArg = []string{"--fault", "accept-then-timeout"} })
	serve := p.serve()
	for i := range 5 {
		c := p.deaf(fmt.Sprintf(`{"type":"hello","communes":["%s"],"language":"vi"}`, homes[i]))
		defer func() { _ = c.Close() }()
	}
	half := p.deaf("") // never says hello
	defer func() { _ = half.Close() }()
	id := p.alert()
	p.eventually(30*time.Second, "every call to hang", func() (bool, string) {
		n := 0
		for _, c := range p.status(id).Coverage.Channels {
			if c.Kind == "sms" {
				n = c.Outcomes["sending"]
			}
		}
		return n >= smsWorkers*smsWindow/2, fmt.Sprint(n, " calls are open")
	})
	began := time.Now()
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the gateway still runs 5 s after SIGTERM")
	}
	t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
	n := p.afterKill(id)
	if n.pending == 0 || n.sending > 0 {
		t.Errorf("%+v: nothing was left to send, or what became of a call was not stored", n)
	}
}

// deaf opens a WebSocket, says hello and from then on neither reads nor closes.
func (p *province) deaf(hello string) net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.listen)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetReadBuffer(1 << 10); err != nil {
		p.t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "GET /channels/hub/ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", p.listen)
	if err != nil {
		p.t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 101"))
	if _, err := io.ReadFull(c, answer); err != nil || !strings.HasSuffix(string(answer), "101") {
		p.t.Fatalf("%q, %v", answer, err)
	}
	if hello != "" {
		// A text frame, whole, masked with zeros (RFC 6455, section 5.2).
		frame := binary.BigEndian.AppendUint16(nil, 0x8180|uint16(len(hello)))
		if _, err := c.Write(append(append(frame, 0, 0, 0, 0), hello...)); err != nil {
			p.t.Fatal(err)
		}
	}
	return c
}
