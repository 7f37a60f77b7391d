package main_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// TestStopsWhateverHangs: a carrier that takes messages and never answers, and
// app clients that never read and never close. A gateway that is told to stop
// ends within five seconds all the same, and does so cleanly.
func TestStopsWhateverHangs(t *testing.T) {
	t.Parallel()
	r, n := shipped(t, rig.Options{People: 600, CarrierArgs: []string{"--fault", "accept-then-timeout"}})
	n.Serve()
	for i := range 5 {
		c := deaf(t, n.Listen, fmt.Sprintf(`{"type":"hello","communes":["%s"],"language":"vi"}`, r.People[i].Commune))
		defer func() { _ = c.Close() }()
	}
	half := deaf(t, n.Listen, "") // never says hello
	defer func() { _ = half.Close() }()
	id := r.Alert()
	rig.Eventually(r, 30*time.Second, "every call to hang", func() (bool, string) {
		open := 0
		for _, c := range r.Status(id).Coverage.Channels {
			if c.Kind == channels.SMS {
				open = c.Outcomes[channels.Sending.String()]
			}
		}
		return open >= rig.SMSWorkers*rig.SMSWindow/2, fmt.Sprint(open, " calls are open")
	})
	stop(r, n)
	left := afterEnd(r, id)
	if left.pending == 0 || left.sending > 0 {
		t.Errorf("%+v: nothing was left to send, or what became of a call was not stored", left)
	}
}

// deaf opens a WebSocket, says hello and from then on neither reads nor closes.
func deaf(t testing.TB, listen, hello string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetReadBuffer(1 << 10); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "GET /channels/hub/ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", listen)
	if err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 101"))
	if _, err := io.ReadFull(c, answer); err != nil || !strings.HasSuffix(string(answer), "101") {
		t.Fatalf("%q, %v", answer, err)
	}
	if hello != "" {
		// A text frame, whole, masked with zeros (RFC 6455, section 5.2).
		frame := binary.BigEndian.AppendUint16(nil, 0x8180|uint16(len(hello)))
		if _, err := c.Write(append(append(frame, 0, 0, 0, 0), hello...)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}
