package account

import (
	"slices"

	"loa/gateway/area"
)

// Role is what a person may be asked to do, always for a territory.
type Role string

// The roles.
const (
	Author           Role = "author"            // writes alerts
	Approver         Role = "approver"          // signs what others wrote
	Clerk            Role = "clerk"             // of a commune: its routine bulletins
	UnitKeeper       Role = "unit-keeper"       // of loudspeakers
	DonationReviewer Role = "donation-reviewer" // judges reports of donation appeals
	TelecomLiaison   Role = "telecom-liaison"   // orders mass sends of others
	Auditor          Role = "auditor"           // reads the record
	Administrator    Role = "administrator"     // invites people and grants roles
)

// Roles lists all roles.
func Roles() []Role {
	return []Role{Author, Approver, Clerk, UnitKeeper, DonationReviewer, TelecomLiaison, Auditor, Administrator}
}

// Weighty tells that one administrator alone cannot grant the role.
func (r Role) Weighty() bool {
	return r == Author || r == Approver || r == DonationReviewer || r == Administrator
}

// Act is what a person wants to do. What it is done to lies in communes.
type Act string

// The acts. ActReadPersonal and ActReadAudit are reads that are recorded.
const (
	ActRead             Act = "read" // alerts, coverage, units, tasks
	ActReadPersonal     Act = "read-personal"
	ActReadAudit        Act = "read-audit"
	ActDraft            Act = "draft"
	ActSubmit           Act = "submit"
	ActReturn           Act = "return"
	ActReject           Act = "reject"
	ActApprove          Act = "approve"
	ActStop             Act = "stop"
	ActResume           Act = "resume"
	ActCorrect          Act = "correct"
	ActSignPlaybook     Act = "sign-playbook"
	ActFirePlaybook     Act = "fire-playbook"
	ActBreakGlass       Act = "break-glass"
	ActDecide           Act = "decide" // a bulletin over its threshold: send, delegate or decline
	ActHandOver         Act = "hand-over"
	ActScheduleBulletin Act = "schedule-bulletin"
	ActKeepUnits        Act = "keep-units"
	ActReviewAppeals    Act = "review-appeals"
	ActWorkHandoffs     Act = "work-handoffs"
	ActInvite           Act = "invite"
	ActGrant            Act = "grant"
	ActRevoke           Act = "revoke" // grants, people, and others' sessions and tokens
)

// holders says which roles may do what; an act that is not here nobody may.
var holders = map[Act][]Role{
	ActRead:             Roles(),
	ActReadPersonal:     {Auditor},
	ActReadAudit:        {Auditor, Administrator},
	ActDraft:            {Author},
	ActSubmit:           {Author},
	ActReturn:           {Author, Approver},
	ActReject:           {Approver},
	ActApprove:          {Approver},
	ActStop:             {Author, Approver},
	ActResume:           {Author, Approver},
	ActCorrect:          {Author, Approver},
	ActSignPlaybook:     {Author, Approver},
	ActFirePlaybook:     {Author, Approver},
	ActBreakGlass:       {Author, Approver},
	ActDecide:           {Author, Approver},
	ActHandOver:         {Author, Approver},
	ActScheduleBulletin: {Author, Clerk},
	ActKeepUnits:        {UnitKeeper},
	ActReviewAppeals:    {DonationReviewer},
	ActWorkHandoffs:     {TelecomLiaison},
	ActInvite:           {Administrator},
	ActGrant:            {Administrator},
	ActRevoke:           {Administrator},
}

// Acts lists all acts, sorted.
func Acts() []Act {
	all := make([]Act, 0, len(holders))
	for a := range holders {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

// Mandate is a role in force. Communes is the territory expanded, sorted; it is
// not looked at for Nation.
type Mandate struct {
	Role      Role
	Territory area.Code
	Communes  []area.Code
}

func (m Mandate) covers(commune area.Code) bool {
	if !commune.IsCommune() || commune.Reserved() {
		return false
	}
	if m.Territory == Nation {
		return true
	}
	_, found := slices.BinarySearch(m.Communes, commune)
	return found
}

// May decides whether somebody with the mandates may do the act in the
// communes. The list must be expanded: an empty list, and one with anything but
// communes in it, is refused whoever asks. Every commune must lie in the
// territory of a role that may do the act.
func May(mandates []Mandate, act Act, communes []area.Code) bool {
	roles := holders[act]
	if len(communes) == 0 || len(roles) == 0 {
		return false
	}
	for _, c := range communes {
		if !slices.ContainsFunc(mandates, func(m Mandate) bool { return slices.Contains(roles, m.Role) && m.covers(c) }) {
			return false
		}
	}
	return true
}
