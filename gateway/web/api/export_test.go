package api

import "net/http"

// Take is take.
func (t *Attempts) Take(r *http.Request) error { return t.take(r) }

// Sources counts whom attempts are kept of.
func (t *Attempts) Sources() int { return len(t.sources) }

// RouteNames lists every route that the network has, and whom it is open to.
func RouteNames() []string {
	var all []string
	for _, r := range (&server{}).routes() {
		if r.door != owner {
			all = append(all, r.method+" "+r.path)
		}
	}
	return all
}
