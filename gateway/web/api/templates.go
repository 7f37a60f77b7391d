package api

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"loa/gateway/render"
)

// registration answers with the SMS texts that a carrier is to register: of one
// sender, or of those that are configured.
func (s *server) registration(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from := render.Sender{Provider: query.Get("provider"), Sender: query.Get("sender")}
	if from == (render.Sender{}) && len(s.Senders) == 1 {
		from = s.Senders[0]
	}
	if from.Provider == "" || from.Sender == "" {
		s.refuse(w, r, invalid("sender", "name a provider and a sender: "+s.sendersConfigured()))
		return
	}
	media := map[string]string{"json": "application/json; charset=utf-8", "csv": "text/csv; charset=utf-8"}[query.Get("format")]
	if media == "" {
		s.refuse(w, r, malformed("format", "one of json, csv"))
		return
	}
	var b bytes.Buffer
	if err := s.Renderer.Registration(&b, from, query.Get("format")); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(b.Bytes())
}

// sendersConfigured says which senders there are to choose from.
func (s *server) sendersConfigured() string {
	if len(s.Senders) == 0 {
		return "the configuration has none (sms.senders)"
	}
	var all []string
	for _, from := range s.Senders {
		all = append(all, fmt.Sprintf("provider %s with sender %s", from.Provider, from.Sender))
	}
	return "the configuration has " + strings.Join(all, ", ")
}
