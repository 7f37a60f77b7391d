package smpp

import (
	"bytes"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
	"loa/channels/channelstest"
)

// send writes as long as the driver listens.
func send(conn net.Conn, octets []byte) { _, _ = conn.Write(octets) }

// drain reads until the driver hangs up.
func drain(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// centre plays a message centre that binds everybody and meets each submit_sm
// with answer, which returns whether it goes on.
func centre(answer func(conn net.Conn, f *frame) bool) channelstest.Play {
	return func(conn net.Conn, met func()) {
		for {
			f, err := readFrame(conn)
			if err != nil {
				return
			}
			switch f.CommandID {
			case data.BIND_TRANSCEIVER:
				send(conn, response(pdu.NewBindTransceiverResp(), f.SequenceNumber, data.ESME_ROK))
			case data.ENQUIRE_LINK:
				send(conn, response(pdu.NewEnquireLinkResp(), f.SequenceNumber, data.ESME_ROK))
			case data.SUBMIT_SM:
				met()
				if !answer(conn, f) {
					return
				}
			}
		}
	}
}

// status answers a submit_sm, without a body when it refuses.
func status(s data.CommandStatusType) channelstest.Play {
	return centre(func(conn net.Conn, f *frame) bool {
		p := &pdu.SubmitSMResp{MessageID: "5a7f"}
		p.CommandID = data.SUBMIT_SM_RESP
		octets := response(p, f.SequenceNumber, s)
		if s != data.ESME_ROK {
			octets = octets[:headerSize]
			octets[3] = headerSize
		}
		send(conn, octets)
		return true
	})
}

// octets answers a submit_sm with whatever they are, then listens on.
func octets(raw string) channelstest.Play {
	return centre(func(conn net.Conn, _ *frame) bool {
		send(conn, []byte(raw))
		drain(conn)
		return false
	})
}

// header is a PDU's header in octets.
func header(length, command, status, sequence string) string {
	raw, err := hex.DecodeString(length + command + status + sequence)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// unboundBy answers a bind.
func unboundBy(answer func(conn net.Conn, f *frame)) channelstest.Play {
	return func(conn net.Conn, _ func()) {
		if f, err := readFrame(conn); err == nil {
			answer(conn, f)
		}
	}
}

func bindStatus(s data.CommandStatusType) channelstest.Play {
	return unboundBy(func(conn net.Conn, f *frame) {
		octets := response(pdu.NewBindTransceiverResp(), f.SequenceNumber, s)[:headerSize]
		octets[3] = headerSize
		send(conn, octets)
		drain(conn)
	})
}

func dripped(octets func(f *frame) []byte) channelstest.Play {
	return centre(func(conn net.Conn, f *frame) bool {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			drain(conn)
		}()
		for _, o := range octets(f) {
			send(conn, []byte{o})
			select {
			case <-gone:
				return false
			case <-time.After(time.Second):
			}
		}
		<-gone
		return false
	})
}

func hostile() []channelstest.WireCase {
	const accepted = "80000004"
	flood := func(total int, block []byte) channelstest.Play {
		return centre(func(conn net.Conn, _ *frame) bool {
			go drain(conn)
			for range total / len(block) {
				if _, err := conn.Write(block); err != nil {
					return false
				}
			}
			return false
		})
	}
	ambiguous := map[string]channelstest.Play{
		"silence":                centre(func(net.Conn, *frame) bool { return true }),
		"closes":                 centre(func(net.Conn, *frame) bool { return false }),
		"length 0":               octets(header("00000000", accepted, "00000000", "00000001")),
		"length 15":              octets(header("0000000f", accepted, "00000000", "00000001")),
		"length of 2 GiB":        octets(header("7fffffff", accepted, "00000000", "00000001")),
		"length of 4 GiB":        octets(header("ffffffff", accepted, "00000000", "00000001")),
		"length above the body":  octets(header("00000020", accepted, "00000000", "00000001")),
		"no identifier":          octets(header("00000011", accepted, "00000000", "00000001") + "\x00"),
		"no body":                octets(header("00000010", accepted, "00000000", "00000001")),
		"identifier without end": octets(header("00000014", accepted, "00000000", "00000001") + "abcd"),
		"long identifier":        octets(header("00000211", accepted, "00000000", "00000001") + strings.Repeat("9", 512) + "\x00"),
		"another answer":         octets(header("00000010", "80000015", "00000000", "00000001")),
		"answer to nobody":       octets(header("00000013", accepted, "00000000", "00000077") + "ab\x00"),
		"no SMPP":                octets("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
		"nack of nobody":         octets(header("00000010", "80000000", "00000002", "00000000")),
		"optional parameter cut": octets(header("00000017", accepted, "00000000", "00000001") + "ab\x00\x02\x04\x7f\xff"),
		"header of a text too long": octets(header("0000002d", "00000005", "00000000", "00000009") +
			"\x00\x01\x01a\x00\x01\x01b\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"),
		"unbinds":              octets(header("00000010", "00000006", "00000000", "00000009")),
		"endless zeros":        flood(64<<20, make([]byte, 32<<10)),
		"a flood of enquiries": flood(1<<20, bytes.Repeat([]byte(header("00000010", "00000015", "00000000", "00000009")), 512)),
		"a byte a second": dripped(func(f *frame) []byte {
			return response(pdu.NewSubmitSMResp(), f.SequenceNumber, data.ESME_ROK)
		}),
	}
	var cases []channelstest.WireCase
	for _, name := range slices.Sorted(maps.Keys(ambiguous)) {
		want := channels.FaultAmbiguous
		cases = append(cases, channelstest.WireCase{Name: name, Play: ambiguous[name], Want: want, Met: 1})
	}
	return cases
}

// binds are the ways a bind goes wrong: none of them has written a message.
func binds() []channelstest.WireCase {
	cases := []channelstest.WireCase{
		{Name: "bind/closes", Play: func(net.Conn, func()) {}, Want: channels.FaultTransient},
		{Name: "bind/silence", Play: func(conn net.Conn, _ func()) { drain(conn) }, Want: channels.FaultTransient},
		{Name: "bind/no SMPP", Want: channels.FaultTransient, Play: func(conn net.Conn, _ func()) {
			send(conn, []byte("SSH-2.0-OpenSSH_9.2\r\n"))
			drain(conn)
		}},
		{Name: "bind/a byte a second", Want: channels.FaultTransient, Play: func(conn net.Conn, _ func()) {
			for range 16 {
				if _, err := conn.Write([]byte{0}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}},
		{Name: "bind/other answers without end", Want: channels.FaultTransient, Play: func(conn net.Conn, _ func()) {
			go drain(conn)
			for {
				if _, err := conn.Write([]byte(header("00000010", "80000015", "00000000", "00000001"))); err != nil {
					return
				}
			}
		}},
		{Name: "bind/nack", Want: channels.FaultProvider, Code: "0x03", Play: unboundBy(func(conn net.Conn, f *frame) {
			send(conn, response(pdu.NewGenericNack(), f.SequenceNumber, data.ESME_RINVCMDID))
			drain(conn)
		})},
		{Name: "bind/echo", Want: channels.FaultTransient, Play: unboundBy(func(conn net.Conn, f *frame) {
			send(conn, f.raw)
			send(conn, f.raw[headerSize:])
			drain(conn)
		})},
	}
	for s, c := range map[data.CommandStatusType]struct {
		code string
		want channels.Fault
	}{
		data.ESME_RBINDFAIL:  {"0x0D", channels.FaultProvider},
		data.ESME_RINVPASWD:  {"0x0E", channels.FaultProvider},
		data.ESME_RINVSYSID:  {"0x0F", channels.FaultProvider},
		data.ESME_RINVSYSTYP: {"0x53", channels.FaultProvider},
		0x0411:               {"0x411", channels.FaultProvider},
		data.ESME_RALYBND:    {"0x05", channels.FaultTransient},
		data.ESME_RSYSERR:    {"0x08", channels.FaultTransient},
		data.ESME_RTHROTTLED: {"0x58", channels.FaultTransient},
	} {
		cases = append(cases, channelstest.WireCase{Name: "bind/" + c.code, Play: bindStatus(s), Want: c.want, Code: c.code})
	}
	return cases
}

func TestDriverConforms(t *testing.T) {
	var table []channelstest.WireCase
	for s, fault := range faults {
		table = append(table, channelstest.WireCase{Name: codeText(s), Play: status(s), Want: fault, Code: codeText(s), Met: 1})
	}
	for s, code := range map[data.CommandStatusType]string{0xff: "0xFF", 0x0412: "0x412", 0x0091_2345: "", -5: ""} {
		table = append(table, channelstest.WireCase{Name: "status " + code, Play: status(s), Want: channels.FaultTransient, Code: code, Met: 1})
	}
	table = append(table, channelstest.WireCase{Name: "nack", Want: channels.FaultProvider, Code: "0x03", Met: 1,
		Play: centre(func(conn net.Conn, f *frame) bool {
			send(conn, response(pdu.NewGenericNack(), f.SequenceNumber, data.ESME_RINVCMDID))
			return true
		})})
	channelstest.VerifyWire(t, channelstest.WireConfig{
		Kind: channels.SMS,
		Open: func(t testing.TB, p channelstest.Provider) channels.Sender {
			d := p.Deps()
			d.Origin = p.Origin
			return openSender(t, section(p.Origin, "timeout: "+p.Timeout.String()), d)
		},
		Message: message1,
		Secrets: []string{password},
		Private: func(m channels.Message) []string {
			digits := strings.TrimPrefix(m.To.Reveal(), "+")
			return []string{digits, strings.TrimPrefix(digits, "84")}
		},
		Plain: "smpp", TLS: "smpps",
		Accept: status(data.ESME_ROK),
		Silent: centre(func(net.Conn, *frame) bool { return true }),
		Cases:  slices.Concat(table, hostile(), binds()),
	})
}
