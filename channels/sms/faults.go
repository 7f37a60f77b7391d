package sms

import (
	"net/http"
	"time"

	"loa/channels"
)

// policy is what one of Twilio's codes means for a message.
type policy struct {
	Fault   channels.Fault
	Account bool          // no message of this account would be taken
	Wait    time.Duration // before another send, when the carrier itself names no time
}

// unreached is how long to leave a handset that was off or out of reach.
const unreached = 10 * time.Minute

// policies holds every code with a meaning of its own
// (https://www.twilio.com/docs/api/errors), whether the API answers with it or
// a status callback brings it. Codes that are not here are told by byStatus,
// or in a callback count as transient: that message did not arrive.
var policies = map[int]policy{
	// The carrier, the account or our configuration.
	20003: {Fault: channels.FaultProvider, Account: true}, // credentials refused
	20404: {Fault: channels.FaultProvider},                // no such account or path
	21212: {Fault: channels.FaultProvider},                // sender not valid
	21408: {Fault: channels.FaultProvider},                // country not allowed for this account
	21603: {Fault: channels.FaultProvider},                // sender missing
	21606: {Fault: channels.FaultProvider},                // sender cannot send this
	21609: {Fault: channels.FaultProvider},                // callback URL not valid
	21612: {Fault: channels.FaultTransient},               // no route from this sender to this number now; the account is well
	21659: {Fault: channels.FaultProvider},                // sender is not ours
	21701: {Fault: channels.FaultProvider},                // no such messaging service
	21703: {Fault: channels.FaultProvider},                // messaging service has no sender
	30002: {Fault: channels.FaultProvider, Account: true}, // account suspended

	// Too fast: nothing was taken, or it was dropped from a full queue.
	14107: {Fault: channels.FaultThrottled},
	20429: {Fault: channels.FaultThrottled},
	21611: {Fault: channels.FaultThrottled}, // the sender's queue is full
	30001: {Fault: channels.FaultThrottled}, // the queue overflowed

	// The number.
	21211: {Fault: channels.FaultAddress}, // not a number
	21604: {Fault: channels.FaultAddress}, // number missing
	21610: {Fault: channels.FaultAddress}, // has opted out
	21614: {Fault: channels.FaultAddress}, // not a mobile
	30006: {Fault: channels.FaultAddress}, // landline or unreachable carrier

	// The text.
	21602: {Fault: channels.FaultContent}, // empty
	21617: {Fault: channels.FaultContent}, // over 1,600 characters
	30007: {Fault: channels.FaultContent}, // filtered: not a registered template

	// Not arrived this time.
	30003: {Fault: channels.FaultTransient, Wait: unreached}, // switched off or out of reach
	30005: {Fault: channels.FaultTransient, Wait: unreached}, // handset unknown; often unknown only for a while
	30008: {Fault: channels.FaultTransient},                  // no reason given
	30036: {Fault: channels.FaultTransient},                  // its validity ended in the carrier's queue

	// The carrier broke while it held the message.
	20500: {Fault: channels.FaultAmbiguous},
	20503: {Fault: channels.FaultAmbiguous},
}

// classify tells what an answer that is not a success means. A code is
// believed only where the HTTP status agrees that nothing was taken.
func classify(status, code int) policy {
	switch {
	case status == http.StatusTooManyRequests:
		return policy{Fault: channels.FaultThrottled}
	case status < 400 || status >= 500 || status == http.StatusRequestTimeout:
		return policy{Fault: channels.FaultAmbiguous}
	}
	if p, known := policies[code]; known {
		return p
	}
	switch status {
	case http.StatusUnauthorized:
		return policy{Fault: channels.FaultProvider, Account: true}
	case http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusGone:
		return policy{Fault: channels.FaultProvider}
	default:
		return policy{Fault: channels.FaultTransient}
	}
}

// late tells what the code of a failed message's status callback means.
func late(code int) policy {
	if p, known := policies[code]; known {
		return p
	}
	return policy{Fault: channels.FaultTransient}
}
