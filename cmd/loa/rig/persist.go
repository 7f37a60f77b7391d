package rig

import "time"

// ServeOrEnd starts the gateway and waits until it is ready or has ended.
func (n *Node) ServeOrEnd() {
	n.r.Helper()
	n.Begin()
	n.readyOrEnded(20 * time.Second)
}

// AlertThrough has an alert drafted, submitted and approved while its gateway
// may die at any moment: what fails is asked for again after revive. The last
// act may be another than its approval: it is stopped after that, or returned
// or rejected instead. It returns the alert's identifier.
func (r *Rig) AlertThrough(key, state string, revive func()) string {
	r.Helper()
	id, n := "", r.Nodes[0]
	draft := n.Loa(r.tokens[0], "", "alert", "example")
	r.insist("draft", revive, func() (bool, error) {
		out, err := n.TryLoa(r.tokens[0], draft, "alert", "draft", "-", "--key", key)
		id = idForm.FindString(out)
		return err == nil && id != "", err
	})
	r.submitted = append(r.submitted, id)
	in := func(states ...string) (bool, error) {
		a, err := r.TryStatus(id)
		for _, s := range states {
			if err == nil && string(a.State) == s {
				return true, nil
			}
		}
		return false, err
	}
	r.insist("submission", revive, func() (bool, error) {
		_, said := n.TryLoa(r.tokens[0], "", "alert", "submit", id)
		done, err := in("submitted")
		return done, firstOf(err, said)
	})
	by := func(act, state string) {
		r.insist(act, revive, func() (bool, error) {
			_, said := n.TryLoa(r.tokens[1], "", "alert", act, id, "--reason", "thử")
			done, err := in(state)
			return done, firstOf(err, said)
		})
	}
	switch state {
	case "returned":
		by("return", state)
		return id
	case "rejected":
		by("reject", state)
		return id
	}
	hash := ""
	r.insist("hash", revive, func() (bool, error) {
		a, err := r.TryStatus(id)
		hash = a.Hash
		return hash != "", err
	})
	r.insist("approval", revive, func() (bool, error) {
		said := r.TryApprove(id, hash)
		done, err := in("approved")
		return done, firstOf(err, said)
	})
	if state == "stopped" {
		r.AwaitApps(id) // who is away when it is stopped is never shown it
		by("stop", state)
	}
	return id
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// insist repeats an act until it is done.
func (r *Rig) insist(what string, revive func(), act func() (bool, error)) {
	r.Helper()
	Eventually(r, 30*time.Second, "the "+what, func() (bool, string) {
		done, err := act()
		if done {
			return true, ""
		}
		revive()
		if err != nil {
			return false, err.Error()
		}
		return false, "it is not done"
	})
}
