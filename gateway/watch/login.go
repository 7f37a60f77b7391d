package watch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"loa/channels"
)

// Login is a provider that can be asked whether it still knows our account, at
// little cost and without sending anything.
type Login struct {
	Part     string // as the provider's probe calls it: "provider/sms/twilio"
	Provider string
	Check    func(ctx context.Context) error
}

// How often credentials are proved, and how often while they are not.
const (
	loginEvery = 5 * time.Minute
	loginAgain = 30 * time.Second
	loginBound = 15 * time.Second
)

// login is a provider that is being asked.
type login struct {
	Login

	mu     sync.Mutex
	seen   Part
	failed int // in a row, without a refusal
}

// run asks until the context ends.
func (l *login) run(ctx context.Context) {
	for {
		wait := loginEvery
		if !l.ask(ctx) {
			wait = loginAgain
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// ask asks once. A refusal counts at once; no answer counts when it is the second.
// That we ask too often, as in a send to many, says nothing of our account.
func (l *login) ask(ctx context.Context) (proved bool) {
	bound, cancel := context.WithTimeout(ctx, loginBound)
	defer cancel()
	err := l.Check(bound)
	if ctx.Err() != nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := channels.AsError(err)
	switch {
	case err == nil:
		l.failed, l.seen = 0, Fine(l.Part)
		return true
	case known.Fault == channels.FaultProvider:
		l.failed, l.seen = 0, Fault(l.Part, ProviderDown, fmt.Sprintf("%s refuses our account%s: it was asked without sending anything.", l.Provider, Coded(known.Code)))
	case known.Fault == channels.FaultThrottled:
		return l.failed == 0 && l.seen.State != Bad
	default:
		if l.failed++; l.failed >= 2 {
			l.seen = Fault(l.Part, BreakerOpen, fmt.Sprintf("%s does not say that our account is good%s: it was asked without sending anything.", l.Provider, Coded(known.Code)))
		}
	}
	return false
}

// Coded is a provider's error code, possibly none, as the text of a part says it.
func Coded(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// part is what was seen last.
func (l *login) part() []Part {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen.Part == "" {
		return nil
	}
	return []Part{l.seen}
}
