package smpp

import (
	"bytes"
	"errors"
	"io"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

const (
	headerSize = 16
	maxPDU     = 16 << 10 // nothing a centre sends us is near it
)

var errGarbage = errors.New("peer does not speak SMPP")

// frame is one PDU as it came. Its body is parsed only where it is needed:
// centres leave the body out of an answer that refuses.
type frame struct {
	pdu.Header
	raw []byte
}

func (f *frame) refuses() bool { return f.CommandStatus != data.ESME_ROK }

// answers reports whether it is an answer: generic_nack or any *_resp.
func (f *frame) answers() bool { return f.CommandID < 0 }

// readFrame reads one PDU. Its length is checked before anything is allocated.
func readFrame(r io.Reader) (*frame, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	h := pdu.ParseHeader(head)
	if h.CommandLength < headerSize || h.CommandLength > maxPDU {
		return nil, errGarbage
	}
	raw := make([]byte, h.CommandLength)
	copy(raw, head[:])
	if _, err := io.ReadFull(r, raw[headerSize:]); err != nil {
		return nil, err
	}
	return &frame{Header: h, raw: raw}, nil
}

// parse reads the body. A body that makes the library panic is garbage like any
// other.
func (f *frame) parse() (p pdu.PDU, err error) {
	defer func() {
		if recover() != nil {
			p, err = nil, errGarbage
		}
	}()
	if p, err = pdu.Parse(bytes.NewReader(f.raw)); err != nil {
		return nil, errGarbage // without the library's text, which may quote the peer
	}
	return p, nil
}

// response turns a request's own answer into octets, with a status.
func response(p pdu.PDU, sequence int32, status data.CommandStatusType) []byte {
	p.SetSequenceNumber(sequence)
	octets := marshal(p)
	octets[8], octets[9], octets[10], octets[11] = byte(status>>24), byte(status>>16), byte(status>>8), byte(status) // #nosec G115 -- one octet each
	return octets
}

func marshal(p pdu.PDU) []byte {
	b := pdu.NewBuffer(nil)
	p.Marshal(b)
	return b.Bytes()
}

// messageID reads the identifier out of a submit_sm_resp that took a part.
func (f *frame) messageID() (string, error) {
	p, err := f.parse()
	if err != nil {
		return "", err
	}
	taken, ok := p.(*pdu.SubmitSMResp)
	if !ok || taken.MessageID == "" || len(taken.MessageID) > maxMessageID {
		return "", errors.New("answer has no message identifier")
	}
	return taken.MessageID, nil
}

const maxMessageID = 64 // octets (SMPP 3.4, 4.4.2)
