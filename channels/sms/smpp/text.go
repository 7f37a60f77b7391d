package smpp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"loa/channels"
	"loa/channels/sms"
)

// Octets of text one submit_sm carries alone, and as a part behind the header
// of a concatenated message (3GPP TS 23.040, 9.2.3.24.1). GSM-7 travels one
// character an octet; the centre packs it.
var room = map[data.Encoding]struct{ alone, part int }{
	data.GSM7BIT: {160, 153},
	data.UCS2:    {140, 134},
}

// message is one text as it goes to the carrier.
type message struct {
	to        string
	expires   time.Time
	parts     [][]byte
	coding    data.Encoding
	reference byte
}

// split encodes a text and cuts it into parts, never inside an escaped
// character or a surrogate pair. The encoding and the number of parts are those
// that sms.Parts counts.
func split(text string) (parts [][]byte, coding data.Encoding) {
	coding = data.UCS2
	if _, name := sms.Parts(text); name == sms.GSM7 {
		coding = data.GSM7BIT
	}
	var whole, current []byte
	for _, r := range text {
		unit := encode(r, coding)
		whole = append(whole, unit...)
		if len(current)+len(unit) > room[coding].part {
			parts, current = append(parts, current), nil
		}
		current = append(current, unit...)
	}
	if len(whole) <= room[coding].alone {
		return [][]byte{whole}, coding
	}
	return append(parts, current), coding
}

func encode(r rune, coding data.Encoding) []byte {
	if coding == data.GSM7BIT {
		if octets, err := coding.Encode(string(r)); err == nil {
			return octets
		}
		return []byte{'?'} // sms.Parts has seen to it that there is none
	}
	var octets []byte
	for _, u := range utf16.AppendRune(nil, r) {
		octets = binary.BigEndian.AppendUint16(octets, u)
	}
	return octets
}

// request builds the submit_sm of one part. Its sequence number is set when it
// is sent: each part has its own.
func (s *sender) request(m *message, part int) (*pdu.SubmitSM, error) {
	left := m.expires.Sub(s.deps.Now())
	if left <= 0 {
		return nil, &channels.Error{Fault: channels.FaultTransient, Err: errors.New("expires: has passed, nothing was sent")}
	}
	p, _ := pdu.NewSubmitSM().(*pdu.SubmitSM)
	p.SourceAddr.SetTon(s.cfg.ton)
	p.SourceAddr.SetNpi(s.cfg.npi)
	from := s.cfg.From
	if s.cfg.ton == tonInternational {
		from = digits(from)
	}
	p.DestAddr.SetTon(tonInternational)
	p.DestAddr.SetNpi(npiISDN)
	for _, err := range []error{
		p.SourceAddr.SetAddress(from),
		p.DestAddr.SetAddress(digits(m.to)),
		p.Message.SetMessageDataWithEncoding(m.parts[part], m.coding),
	} {
		if err != nil {
			return nil, &channels.Error{Fault: channels.FaultContent, Err: errors.New("message does not fit submit_sm")}
		}
	}
	p.ValidityPeriod = relative(min(left, maxValidity))
	p.RegisteredDelivery = data.SM_SMSC_RECEIPT_REQUESTED
	if n := len(m.parts); n > 1 {
		p.EsmClass = data.SM_UDH_GSM
		p.Message.SetUDH(pdu.UDH{pdu.NewIEConcatMessage(byte(n), byte(part+1), m.reference)}) // #nosec G115 -- at most 255
	}
	return p, nil
}

func digits(number string) string {
	if number[0] == '+' {
		return number[1:]
	}
	return number
}

// relative writes a period as SMPP does (3.4, 7.1.1.2), rounded up to a second.
func relative(d time.Duration) string {
	n := int((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", n/86400, n/3600%24, n/60%60, n%60)
}
