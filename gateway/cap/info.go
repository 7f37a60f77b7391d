package cap

import (
	"strconv"

	"loa/gateway/alert"
)

var (
	infoBlock = &block{
		name: "info", rule: "C41",
		children: []string{
			"language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience",
			"eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction",
			"web", "contact", "parameter", "resource", "area",
		},
		many: []string{"category", "responseType", "eventCode", "parameter", "resource", "area"},
	}
	resourceBlock = &block{
		name: "resource", rule: "C70",
		children: []string{"resourceDesc", "mimeType", "size", "uri", "derefUri", "digest"},
	}
)

// pairBlock is an eventCode, parameter or geocode.
func pairBlock(name string) *block {
	return &block{name: name, rule: "C56", children: []string{"valueName", "value"}}
}

func (s *scanner) info() (alert.Info, error) {
	var in alert.Info
	at := s.pos
	seen, err := s.children(infoBlock, func(name string) error {
		switch name {
		case "eventCode":
			return s.pair(name, &in.EventCodes)
		case "parameter":
			return s.pair(name, &in.Parameters)
		case "resource":
			return s.resource(&in)
		case "area":
			a, err := s.area()
			in.Areas = append(in.Areas, a)
			return err
		}
		return s.infoText(&in, name)
	})
	if err != nil {
		return in, err
	}
	for _, name := range []string{"category", "event", "urgency", "severity", "certainty"} {
		if !seen[name] {
			s.noteAt(at, "C44", "<info> has no <%s>; a person has to supply it", name)
		}
	}
	return in, nil
}

func (s *scanner) infoText(in *alert.Info, name string) error {
	at := s.pos
	text, err := s.text()
	if err != nil {
		return err
	}
	switch name {
	case "language":
		in.Language = text
	case "category":
		var c alert.Category
		c, err = word(at, "C43", name, text, alert.Categories)
		in.Categories = append(in.Categories, c)
	case "responseType":
		var t alert.ResponseType
		t, err = word(at, "C45", name, text, alert.ResponseTypes)
		in.ResponseTypes = append(in.ResponseTypes, t)
	case "urgency":
		in.Urgency, err = word(at, "C46", name, text, alert.Urgencies)
	case "severity":
		in.Severity, err = word(at, "C46", name, text, alert.Severities)
	case "certainty":
		if text == "Very Likely" {
			s.noteAt(at, "C47", "<certainty> Very Likely is a word of CAP 1.0 and is read as Likely")
			text = "Likely"
		}
		in.Certainty, err = word(at, "C46", name, text, alert.Certainties)
	case "effective":
		in.Effective, err = s.optionalTime(at, name, text)
	case "onset":
		in.Onset, err = s.optionalTime(at, name, text)
	case "expires":
		in.Expires, err = s.optionalTime(at, name, text)
	default:
		s.prose(at, in, name, text)
	}
	return err
}

// prose keeps a text that people read, and notes what would mislead them.
func (s *scanner) prose(at position, in *alert.Info, name, text string) {
	to := map[string]*string{
		"event": &in.Event, "audience": &in.Audience, "senderName": &in.SenderName, "headline": &in.Headline,
		"description": &in.Description, "instruction": &in.Instruction, "web": &in.Web, "contact": &in.Contact,
	}[name]
	*to = text
	switch {
	case name == "event" && text == "":
		s.noteAt(at, "C44", "<event> is empty; a person has to supply it")
	case name == "web" && text != "" && !alert.AbsoluteURL(text):
		s.noteAt(at, "C53", "<web> is not a whole web address and is left out")
		in.Web = ""
	case alert.HasMarkup(text):
		s.noteAt(at, "C58", "<%s> has HTML in it, which must be shown as plain text", name)
	}
	if alert.Unseen(text) {
		s.noteAt(at, "B12", "<%s> has characters that hide or turn text", name)
	}
}

// pair reads a valueName and its value. Without a name it says nothing.
func (s *scanner) pair(name string, to *[]alert.NamedValue) error {
	var v alert.NamedValue
	at := s.pos
	seen, err := s.children(pairBlock(name), func(part string) error {
		text, err := s.text()
		if part == "value" {
			v.Value = text
		} else {
			v.Name = text
		}
		return err
	})
	if err != nil {
		return err
	}
	if v.Name == "" || !seen["value"] {
		s.noteAt(at, "C56", "<%s> without its valueName or value is left out", name)
		return nil
	}
	if v.Value == "" {
		s.noteAt(at, "C56", "<%s> %.60q has an empty value", name, v.Name)
	}
	*to = append(*to, v)
	return nil
}

func (s *scanner) resource(in *alert.Info) error {
	var x alert.Resource
	at := s.pos
	_, err := s.children(resourceBlock, func(name string) error {
		at := s.pos
		text, err := s.text()
		switch name {
		case "resourceDesc":
			x.Desc = text
		case "mimeType":
			x.MIMEType = text
		case "size":
			size, bad := strconv.ParseInt(text, 10, 64)
			if bad != nil || size < 0 {
				size = 0
				s.noteAt(at, "C71", "<size> is no number of bytes and is left out")
			}
			x.Size = size
		case "uri":
			x.URI = text
			if !alert.AbsoluteURL(text) {
				s.noteAt(at, "C71", "<uri> is not a whole web address")
			}
		case "derefUri":
			s.noteAt(at, "C72", "<derefUri> is left out: embedded content is never passed on")
		case "digest":
			x.Digest = text
		}
		return err
	})
	if err == nil && (x.Desc == "" || x.MIMEType == "") {
		s.noteAt(at, "C70", "<resource> has no resourceDesc or no mimeType")
	}
	in.Resources = append(in.Resources, x)
	return err
}
