package render

import (
	"errors"
	"fmt"
)

// Refusals of render. Nothing is sent when one of them is returned.
var (
	// ErrUnregistered says that the SMS fits no template registered with the
	// carrier. The author is told so in these words.
	ErrUnregistered = errors.New("mẫu chưa đăng ký")
	// ErrNoInfo says that the revision has nothing in this language for this
	// commune.
	ErrNoInfo = errors.New("render: the revision has no text in this language for this commune")
	// ErrChannel says that the channel does not carry the catalogue's texts.
	ErrChannel = errors.New("render: no text is made for this channel")
	// ErrTemplate says that the catalogue has no such template.
	ErrTemplate = errors.New("render: no such template")
	// ErrStatus says that the text and the status do not belong together: test
	// and real never share a text.
	ErrStatus = errors.New("render: this template must not carry this status")
	// ErrPast says that a deadline in the text has passed.
	ErrPast = errors.New("is already past")
	// ErrTooLong says that a document is larger than its channel takes.
	ErrTooLong = errors.New("render: larger than the channel takes")
)

// UnregisteredError names the text that a carrier does not know. It is
// ErrUnregistered.
type UnregisteredError struct {
	Template         string // "storm.emergency.sms.vi"; empty for a message without a template
	Provider, Sender string // empty if no sender is configured
}

func (e *UnregisteredError) Error() string {
	name := e.Template
	if name == "" {
		name = "văn bản không theo mẫu"
	}
	if e.Provider == "" {
		return fmt.Sprintf("%v: %s (chưa cấu hình tên định danh nào)", ErrUnregistered, name)
	}
	return fmt.Sprintf("%v: %s (nhà mạng %s, tên định danh %s)", ErrUnregistered, name, e.Provider, e.Sender)
}

// Is makes every UnregisteredError an ErrUnregistered.
func (e *UnregisteredError) Is(target error) bool { return target == ErrUnregistered }

// SlotError names a slot whose value breaks a rule.
type SlotError struct {
	Template string // "storm.emergency", or a form of it: "storm.emergency.sms.vi"
	Slot     string
	Err      error // the rule
}

func (e *SlotError) Error() string {
	return fmt.Sprintf("%s: slot %s: %v", e.Template, e.Slot, e.Err)
}

func (e *SlotError) Unwrap() error { return e.Err }
