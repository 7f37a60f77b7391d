package standin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// The commands this centre speaks (SMPP 3.4, 5.1.2).
const (
	cmdNack        = 0x80000000
	cmdBindTRX     = 0x00000009
	cmdSubmit      = 0x00000004
	cmdDeliver     = 0x00000005
	cmdUnbind      = 0x00000006
	cmdEnquire     = 0x00000015
	cmdResponse    = 0x80000000 // set in every answer
	headerSize     = 16
	maxPDU         = 8 << 10
	tagReceiptedID = 0x001E
	tagState       = 0x0427
)

// Statuses this centre answers with (SMPP 3.4, 5.1.3).
const (
	statusOK        = 0x00
	statusLength    = 0x02
	statusCommand   = 0x03
	statusNotBound  = 0x04
	statusBound     = 0x05
	statusSystem    = 0x08
	statusNumber    = 0x0B
	statusPassword  = 0x0E
	statusSystemID  = 0x0F
	statusFull      = 0x14
	statusClass     = 0x43
	statusThrottled = 0x58
	statusExpiry    = 0x62
)

// packet is one PDU.
type packet struct {
	command, status, sequence uint32
	body                      []byte
}

var (
	errLength = errors.New("length of a PDU out of bounds")
	errBody   = errors.New("body of a PDU cut short")
)

func readPacket(r io.Reader) (packet, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return packet{}, err
	}
	n := binary.BigEndian.Uint32(head[0:])
	if n < headerSize || n > maxPDU {
		return packet{}, errLength
	}
	p := packet{
		command: binary.BigEndian.Uint32(head[4:]), status: binary.BigEndian.Uint32(head[8:]),
		sequence: binary.BigEndian.Uint32(head[12:]), body: make([]byte, n-headerSize),
	}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

func (p packet) octets() []byte {
	raw := make([]byte, 0, headerSize+len(p.body))
	raw = binary.BigEndian.AppendUint32(raw, uint32(headerSize+len(p.body))) // #nosec G115 -- far below 4 GiB
	raw = binary.BigEndian.AppendUint32(raw, p.command)
	raw = binary.BigEndian.AppendUint32(raw, p.status)
	raw = binary.BigEndian.AppendUint32(raw, p.sequence)
	return append(raw, p.body...)
}

// body takes fields off the front of a PDU's body; the first fault stays.
type body struct {
	rest []byte
	err  error
}

func (b *body) octet() byte {
	got := b.take(1)
	if b.err != nil {
		return 0
	}
	return got[0]
}

func (b *body) take(n int) []byte {
	if b.err != nil || len(b.rest) < n {
		b.err = errBody
		return nil
	}
	got := b.rest[:n]
	b.rest = b.rest[n:]
	return got
}

// text takes a C-octet string of at most limit octets, its end included.
func (b *body) text(limit int) string {
	end := bytes.IndexByte(b.rest, 0)
	if b.err != nil || end < 0 || end >= limit {
		b.err = errBody
		return ""
	}
	got := string(b.rest[:end])
	b.rest = b.rest[end+1:]
	return got
}

// bind is the body of bind_transceiver (SMPP 3.4, 4.1.5).
type bind struct{ systemID, password string }

func readBind(raw []byte) (bind, error) {
	b := body{rest: raw}
	v := bind{systemID: b.text(16), password: b.text(65)}
	_ = b.text(13) // system_type
	if version := b.octet(); b.err == nil && version != 0x34 {
		return v, errors.New("another version of SMPP")
	}
	b.octet()
	b.octet()
	b.text(41)
	return v, b.err
}

// submit is the body of submit_sm (SMPP 3.4, 4.4.1).
type submit struct {
	from, to, validity      string
	toTON, toNPI            byte
	class, coding, register byte
	text                    []byte
}

func readSubmit(raw []byte) (submit, error) {
	b := body{rest: raw}
	var v submit
	b.text(6) // service_type
	b.octet()
	b.octet()
	v.from = b.text(21)
	v.toTON, v.toNPI = b.octet(), b.octet()
	v.to = b.text(21)
	v.class = b.octet()
	b.octet() // protocol_id
	b.octet() // priority_flag
	b.text(17)
	v.validity = b.text(17)
	v.register = b.octet()
	b.octet() // replace_if_present_flag
	v.coding = b.octet()
	b.octet() // sm_default_msg_id
	v.text = b.take(int(b.octet()))
	return v, b.err
}

func optional(tag uint16, value []byte) []byte {
	raw := binary.BigEndian.AppendUint16(nil, tag)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(value))) // #nosec G115 -- a few octets
	return append(raw, value...)
}

func terminated(s string) []byte { return append([]byte(s), 0) }
