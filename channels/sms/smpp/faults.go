package smpp

import (
	"errors"
	"fmt"
	"time"

	"github.com/linxGnu/gosmpp/data"

	"loa/channels"
)

// faults holds every command_status with a meaning of its own (SMPP 3.4,
// 5.1.3). An answer with a status that is not zero says that the centre did not
// take the message, so none of them is ambiguous; what is not here is
// transient.
var faults = map[data.CommandStatusType]channels.Fault{
	// The account, our configuration, or a centre that wants another protocol.
	data.ESME_RINVCMDLEN:    channels.FaultProvider,
	data.ESME_RINVCMDID:     channels.FaultProvider,
	data.ESME_RINVPRTFLG:    channels.FaultProvider,
	data.ESME_RINVREGDLVFLG: channels.FaultProvider,
	data.ESME_RINVSRCADR:    channels.FaultProvider,
	data.ESME_RBINDFAIL:     channels.FaultProvider,
	data.ESME_RINVPASWD:     channels.FaultProvider,
	data.ESME_RINVSYSID:     channels.FaultProvider,
	data.ESME_RINVSERTYP:    channels.FaultProvider,
	data.ESME_RINVESMCLASS:  channels.FaultProvider,
	data.ESME_RINVSRCTON:    channels.FaultProvider,
	data.ESME_RINVSRCNPI:    channels.FaultProvider,
	data.ESME_RINVDSTTON:    channels.FaultProvider,
	data.ESME_RINVDSTNPI:    channels.FaultProvider,
	data.ESME_RINVSYSTYP:    channels.FaultProvider,
	data.ESME_RINVREPFLAG:   channels.FaultProvider,
	data.ESME_RPROVNOTALLWD: channels.FaultProvider,
	data.ESME_RINVSCHED:     channels.FaultProvider,
	data.ESME_RINVEXPIRY:    channels.FaultProvider,

	// Too fast.
	data.ESME_RMSGQFUL:   channels.FaultThrottled,
	data.ESME_RTHROTTLED: channels.FaultThrottled,

	// The number.
	data.ESME_RINVDSTADR: channels.FaultAddress,

	// The text.
	data.ESME_RINVMSGLEN: channels.FaultContent,

	// Not this time.
	data.ESME_RINVBNDSTS:  channels.FaultTransient, // the centre has forgotten our bind
	data.ESME_RALYBND:     channels.FaultTransient, // it has not yet forgotten the one before
	data.ESME_RSYSERR:     channels.FaultTransient,
	data.ESME_RSUBMITFAIL: channels.FaultTransient,
	data.ESME_RX_T_APPN:   channels.FaultTransient,
	data.ESME_RX_P_APPN:   channels.FaultTransient, // permanent, but nobody says for whom
	data.ESME_RX_R_APPN:   channels.FaultTransient,
}

// refused is the error of an answer with a status.
func refused(status data.CommandStatusType) *channels.Error {
	fault, known := faults[status]
	if !known {
		fault = channels.FaultTransient
	}
	return &channels.Error{Fault: fault, Code: codeText(status), Account: credentials[status]}
}

// credentials are the statuses that no message gets past.
var credentials = map[data.CommandStatusType]bool{data.ESME_RBINDFAIL: true, data.ESME_RINVPASWD: true, data.ESME_RINVSYSID: true}

// unbound is the error of a bind that was refused. Nothing was sent; what is
// not a passing state of the centre needs a person.
func unbound(status data.CommandStatusType) *channels.Error {
	e := &channels.Error{Fault: channels.FaultProvider, Account: true, Code: codeText(status), Err: errors.New("bind refused")}
	switch status {
	case data.ESME_RALYBND, data.ESME_RSYSERR, data.ESME_RTHROTTLED, data.ESME_RMSGQFUL, data.ESME_RX_T_APPN:
		e.Fault, e.Account = channels.FaultTransient, false
	}
	return e
}

// codeText shows a status as the standard writes it. A status above 16 bits is
// nobody's, and might be a number given back to us.
func codeText(status data.CommandStatusType) string {
	if status <= 0 || status > 0xffff {
		return ""
	}
	return fmt.Sprintf("0x%02X", int32(status))
}

// unreached is how long to leave a handset that could not be reached.
const unreached = 10 * time.Minute

// state is what a receipt says of one part (SMPP 3.4, 5.2.28).
type state byte

const (
	enroute       state = 1
	delivered     state = 2
	expired       state = 3
	deleted       state = 4
	undeliverable state = 5
	accepted      state = 6
	unknown       state = 7
	rejected      state = 8
)

// stateNames are the words of a receipt's text (SMPP 3.4, appendix B).
var stateNames = map[string]state{
	"ENROUTE": enroute, "DELIVRD": delivered, "EXPIRED": expired, "DELETED": deleted,
	"UNDELIV": undeliverable, "ACCEPTD": accepted, "UNKNOWN": unknown, "REJECTD": rejected,
}

// ended are the states after which nothing more comes of a part, and whether it
// arrived. Enroute, accepted and unknown are not among them: they prove no more
// than the answer to submit_sm did.
var ended = map[state]bool{delivered: true, expired: false, deleted: false, undeliverable: false, rejected: false}

func (s state) name() string {
	for name, of := range stateNames {
		if of == s {
			return name
		}
	}
	return ""
}
