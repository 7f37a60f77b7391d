package alert

import "fmt"

// State is where an alert stands. Values are stored.
type State string

// The states of an alert.
const (
	Drafted    State = "draft"
	Submitted  State = "submitted"
	Returned   State = "returned"
	Rejected   State = "rejected"
	Approved   State = "approved"   // signed; sending
	Stopped    State = "stopped"    // sending stopped; says nothing about the danger
	Superseded State = "superseded" // an update or a correction took its place
	Ended      State = "ended"      // expired or all clear
)

// Act moves an alert from one state to another.
type Act string

// The acts.
const (
	ActSubmit    Act = "submit"
	ActReturn    Act = "return"
	ActReject    Act = "reject"
	ActApprove   Act = "approve"
	ActStop      Act = "stop"
	ActSupersede Act = "supersede" // by an approved update or correction
	ActEnd       Act = "end"       // expiry or all clear
	ActEdit      Act = "edit"      // changes the text and no state; never a move
)

var moves = map[State]map[Act]State{
	Drafted:   {ActSubmit: Submitted},
	Returned:  {ActSubmit: Submitted},
	Submitted: {ActReturn: Returned, ActReject: Rejected, ActApprove: Approved},
	Approved:  {ActStop: Stopped, ActSupersede: Superseded, ActEnd: Ended},
	Stopped:   {ActSupersede: Superseded, ActEnd: Ended},
}

// MoveError says that an act is not lawful in a state.
type MoveError struct {
	From State
	Act  Act
}

// suffered are the acts as what is done to an alert.
var suffered = map[Act]string{
	ActSubmit: "be submitted", ActReturn: "be returned", ActReject: "be rejected", ActApprove: "be approved", ActEdit: "be edited",
	ActStop: "be stopped", ActSupersede: "be corrected, updated or ended by an all-clear", ActEnd: "end",
}

func (e *MoveError) Error() string {
	to := suffered[e.Act]
	if to == "" {
		to = string(e.Act)
	}
	text := fmt.Sprintf("an alert that is %s cannot %s", e.From, to)
	switch {
	case !e.From.Issued() && (e.Act == ActStop || e.Act == ActSupersede):
		return text + ": it was never approved, and nobody has been sent it"
	case e.From == Submitted && (e.Act == ActEdit || e.Act == ActSubmit):
		return text + ": have it returned to its author first"
	}
	return text
}

// Move returns the state that act leads to, or a *MoveError.
func (s State) Move(act Act) (State, error) {
	if to, ok := moves[s][act]; ok {
		return to, nil
	}
	return s, &MoveError{From: s, Act: act}
}

// Issued reports whether the alert was ever approved.
func (s State) Issued() bool {
	return s == Approved || s == Stopped || s == Superseded || s == Ended
}

// Live reports whether sends may be started in this state.
func (s State) Live() bool { return s == Approved }
