package cap

import "encoding/xml"

// signature passes over an enveloped XML signature. It is not verified here,
// so a signed message counts as an unsigned one; but a signature that is about
// another text than the one read, or that brings a text of its own, is an
// attempt to have one thing signed and another acted on.
func (s *scanner) signature() error {
	s.note("C81", "the message is signed; the signature has not been verified, and nothing is relayed on its word")
	covered, outside := false, s.depth-1
	var path []string
	for s.depth > outside {
		t, err := s.next()
		if err != nil {
			return s.unfinished(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Space == Namespace {
				return s.refuse("A36", "the signature holds a message of its own")
			}
			if t.Name.Local == "Reference" && len(path) == 1 && path[0] == "SignedInfo" {
				covered = covered || s.covers(t)
			}
			path = append(path, t.Name.Local)
		case xml.EndElement:
			path = path[:max(0, len(path)-1)]
		}
	}
	if !covered {
		return s.refuse("A36", "the signature does not cover this message as a whole")
	}
	return nil
}

// covers reports whether a signature's Reference is to the whole message.
func (s *scanner) covers(reference xml.StartElement) bool {
	for _, a := range reference.Attr {
		if a.Name.Space == "" && a.Name.Local == "URI" {
			return a.Value == "" || s.rootID != "" && a.Value == "#"+s.rootID
		}
	}
	return false
}
