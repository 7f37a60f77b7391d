package sms

// What tests outside the package share with those inside.
var (
	Policies   = policies
	Section    = section
	DepsAt     = deps
	OpenSender = openSender
	NewMessage = message
	Taken      = accepted
	Answer     = answer
	RefusalOf  = refusalOf
	DrawText   = drawText
)

// The account that tests use.
const (
	Account = account
	Token   = token
	SIDText = sidText
)

// SetPublic makes callbacks go elsewhere.
func (s *sender) SetPublic(raw string) { s.public = raw }
