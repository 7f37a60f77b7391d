package api

import (
	"bytes"
	"net/http"

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
		s.refuse(w, r, invalid("sender", "name a provider and a sender: the configuration does not have exactly one (sms.senders)"))
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
