package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"loa/gateway/area"
	"loa/gateway/audience"
)

// ImportLine is one line of the answer to an import: exactly one field is set.
// Report or Problem is the last.
type ImportLine struct {
	Progress *ImportProgress `json:"progress,omitempty"`
	Bad      *BadRow         `json:"bad,omitempty"`
	Report   *ImportReport   `json:"report,omitempty"`
	Problem  *Problem        `json:"problem,omitempty"`
}

// ImportProgress is how far a file has been read.
type ImportProgress struct {
	Rows  int   `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// BadRow names a row that is not imported, with all that is wrong with it. It
// holds no address.
type BadRow struct {
	Line      int     `json:"line"`
	Faults    []Fault `json:"faults"`              // the field is the column; empty: the whole row
	Duplicate bool    `json:"duplicate,omitempty"` // not an error: an earlier line has the address
}

// ImportReport is what an import came to.
type ImportReport struct {
	Rows       int `json:"rows"`
	Bad        int `json:"bad"`
	Duplicates int `json:"duplicates"`
	Added      int `json:"added"`
	Known      int `json:"known"`
}

// importSubscribers reads a subscriber file of any size and tells, line by
// line while it reads, what it finds (application/x-ndjson).
func (s *server) importSubscribers(w http.ResponseWriter, r *http.Request) {
	a := &act{Request: r}
	if err := a.media("text/csv"); err != nil {
		s.refuse(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	say := func(l ImportLine) {
		if enc.Encode(l) == nil {
			_ = control.Flush()
		}
	}
	query := r.URL.Query()
	rep, err := s.Audience.Import(r.Context(), r.Body, audience.ImportOptions{
		Now:     s.Now(),
		Source:  path.Base(strings.ReplaceAll(query.Get("source"), "\\", "/")),
		Valid:   s.inForce,
		SkipBad: query.Get("skip_bad") == "true",
		Bad: func(b audience.BadRow) {
			row := &BadRow{Line: b.Line, Duplicate: b.Duplicate}
			for _, f := range b.Faults {
				row.Faults = append(row.Faults, Fault{f.Field, f.Rule})
			}
			say(ImportLine{Bad: row})
		},
		Progress: func(rows int, bytes int64) {
			say(ImportLine{Progress: &ImportProgress{rows, bytes}})
		},
	})
	if err != nil {
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError {
			s.Log.ErrorContext(r.Context(), "an import of subscribers failed", "err", err)
		}
		finish(&p)
		say(ImportLine{Problem: &p})
		return
	}
	say(ImportLine{Report: &ImportReport{rep.Rows, rep.Bad, rep.Duplicates, rep.Added, rep.Known}})
}

// inForce refuses a code that is not a commune of today.
func (s *server) inForce(code area.Code) error {
	if !code.IsCommune() {
		return errors.New("a code of five digits is expected; leading zeros count")
	}
	if _, err := s.Areas.Expand([]area.Code{code}); err != nil {
		return errors.New(plain(err))
	}
	return nil
}
