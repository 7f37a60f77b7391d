package alert

import (
	"errors"
	"testing"
)

func TestEveryStateAndAct(t *testing.T) {
	t.Parallel()
	states := []State{Drafted, Submitted, Returned, Rejected, Approved, Stopped, Superseded, Ended, "unheard of"}
	acts := []Act{ActSubmit, ActReturn, ActReject, ActApprove, ActStop, ActSupersede, ActEnd, "unheard of"}
	lawful := map[State]map[Act]State{
		Drafted:   {ActSubmit: Submitted},
		Returned:  {ActSubmit: Submitted},
		Submitted: {ActReturn: Returned, ActReject: Rejected, ActApprove: Approved},
		Approved:  {ActStop: Stopped, ActSupersede: Superseded, ActEnd: Ended},
		Stopped:   {ActSupersede: Superseded, ActEnd: Ended},
	}
	for _, state := range states {
		for _, act := range acts {
			want, ok := lawful[state][act]
			got, err := state.Move(act)
			if ok {
				if err != nil || got != want {
					t.Errorf("%s %s = %s, %v; want %s", state, act, got, err, want)
				}
				continue
			}
			var move *MoveError
			if !errors.As(err, &move) || move.From != state || move.Act != act || got != state {
				t.Errorf("%s %s = %s, %v; want a MoveError and no move", state, act, got, err)
			}
		}
		if state.Live() != (state == Approved) {
			t.Errorf("%s: Live = %v", state, state.Live())
		}
	}
}
