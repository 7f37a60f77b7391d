package channels

// Outcome is what one delivery has come to. Values are stored: never renumber.
type Outcome uint8

// The outcomes. Sending and Ambiguous may have reached the person.
const (
	Pending   Outcome = iota // not attempted, or waiting for a retry
	Sending                  // a call was started and has not returned
	Accepted                 // the provider took it; for the app: it stands in the live list
	Delivered                // the provider or the device reports arrival
	Confirmed                // the person acknowledged
	Failed                   // refused for good; the exception says why
	Ambiguous                // may have been accepted
	Expired                  // the alert ended before a send could start
	Cancelled                // the alert was stopped, or the address is gone
)

var outcomeNames = [...]string{"pending", "sending", "accepted", "delivered", "confirmed", "failed", "ambiguous", "expired", "cancelled"}

// OutcomeCount is how many outcomes there are.
const OutcomeCount = int(Cancelled) + 1

// AllOutcomes lists every outcome.
func AllOutcomes() []Outcome {
	all := make([]Outcome, len(outcomeNames))
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "invalid"
}

// Reached reports whether the person may have got the message. The set is
// what a correction must go to.
func (o Outcome) Reached() bool {
	switch o {
	case Sending, Accepted, Delivered, Confirmed, Ambiguous:
		return true
	default:
		return false
	}
}

// Final reports whether no further send will be started for it.
func (o Outcome) Final() bool { return o != Pending && o != Sending }
