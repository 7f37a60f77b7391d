package alert

// The words of CAP 1.2, spelled as CAP spells them (OASIS CAP-v1.2, section
// 3.2). An empty value means that the element is absent.
type (
	// Status says whether the message is meant in earnest.
	Status string
	// MsgType says what the message does to earlier ones.
	MsgType string
	// Scope says who may read the message.
	Scope string
	// Category is a kind of danger, of twelve.
	Category string
	// ResponseType is a kind of action that people are asked for.
	ResponseType string
	// Urgency says how soon people must act.
	Urgency string
	// Severity says how much is at stake.
	Severity string
	// Certainty says how sure it is that the danger comes.
	Certainty string
)

// Values of Status.
const (
	Actual   Status = "Actual"
	Exercise Status = "Exercise"
	System   Status = "System"
	Test     Status = "Test"
	Draft    Status = "Draft"
)

// Values of MsgType.
const (
	MsgAlert  MsgType = "Alert"
	MsgUpdate MsgType = "Update"
	MsgCancel MsgType = "Cancel"
	MsgAck    MsgType = "Ack"
	MsgError  MsgType = "Error"
)

// Values of Scope.
const (
	Public     Scope = "Public"
	Restricted Scope = "Restricted"
	Private    Scope = "Private"
)

// Values of Severity, highest first.
const (
	Extreme         Severity = "Extreme"
	Severe          Severity = "Severe"
	Moderate        Severity = "Moderate"
	Minor           Severity = "Minor"
	UnknownSeverity Severity = "Unknown"
)

// Rank orders severities: the higher the more severe; 0 for an unknown word.
func (s Severity) Rank() int {
	switch s {
	case Extreme:
		return 5
	case Severe:
		return 4
	case Moderate:
		return 3
	case Minor:
		return 2
	case UnknownSeverity:
		return 1
	default:
		return 0
	}
}

// Grave reports whether two people must sign: Severe or Extreme.
func (s Severity) Grave() bool { return s == Extreme || s == Severe }

// The closed lists of CAP 1.2. Reader, writer and validation range over them.
var (
	Statuses      = []Status{Actual, Exercise, System, Test, Draft}
	MsgTypes      = []MsgType{MsgAlert, MsgUpdate, MsgCancel, MsgAck, MsgError}
	Scopes        = []Scope{Public, Restricted, Private}
	Categories    = []Category{"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"}
	ResponseTypes = []ResponseType{"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"}
	Urgencies     = []Urgency{"Immediate", "Expected", "Future", "Past", "Unknown"}
	Severities    = []Severity{Extreme, Severe, Moderate, Minor, UnknownSeverity}
	Certainties   = []Certainty{"Observed", "Likely", "Possible", "Unlikely", "Unknown"}
)
