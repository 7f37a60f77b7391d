package api_test

import (
	"slices"
	"strings"
	"testing"

	"loa/gateway/account"
	"loa/gateway/area"
	"loa/gateway/web/api"
)

// rule says who may use a route on an alert: roles that hold the whole of its
// area. stranger routes ask nobody, own routes are everybody's who has signed in.
type rule struct {
	roles    []account.Role
	stranger bool
	own      bool
	admins   bool
}

var (
	writers  = []account.Role{account.Author}
	signers  = []account.Role{account.Approver}
	stoppers = []account.Role{account.Author, account.Approver}
)

var rules = map[string]rule{
	"POST /api/v1/alerts":                    {roles: writers},
	"GET /api/v1/alerts":                     {roles: account.Roles()},
	"GET /api/v1/alerts/{id}":                {roles: account.Roles()},
	"PUT /api/v1/alerts/{id}":                {roles: writers},
	"POST /api/v1/alerts/{id}/submit":        {roles: writers},
	"POST /api/v1/alerts/{id}/approve/begin": {roles: signers},
	"POST /api/v1/alerts/{id}/approve":       {roles: signers},
	"POST /api/v1/alerts/{id}/return":        {roles: stoppers},
	"POST /api/v1/alerts/{id}/reject":        {roles: signers},
	"POST /api/v1/alerts/{id}/stop":          {roles: stoppers},
	"POST /api/v1/alerts/{id}/correct":       {roles: stoppers},
	"POST /api/v1/alerts/{id}/update":        {roles: writers},
	"POST /api/v1/alerts/{id}/all-clear":     {roles: writers},
	"POST /api/v1/enrol/begin":               {stranger: true},
	"POST /api/v1/enrol":                     {stranger: true},
	"POST /api/v1/session/begin":             {stranger: true},
	"POST /api/v1/session":                   {stranger: true},
	"GET /api/v1/session":                    {own: true},
	"DELETE /api/v1/session":                 {own: true},
	"GET /api/v1/sessions":                   {own: true},
	"DELETE /api/v1/sessions/{id}":           {own: true},
	"GET /api/v1/passkeys":                   {own: true},
	"POST /api/v1/passkey/begin":             {own: true},
	"POST /api/v1/passkeys":                  {own: true},
	"DELETE /api/v1/passkeys/{id}":           {own: true},
	"GET /api/v1/tokens":                     {own: true},
	"POST /api/v1/tokens":                    {own: true},
	"DELETE /api/v1/tokens/{id}":             {own: true},
	"GET /api/v1/people":                     {admins: true},
	"POST /api/v1/people":                    {admins: true},
	"POST /api/v1/people/{id}/link":          {admins: true},
	"POST /api/v1/people/{id}/grants":        {admins: true},
	"POST /api/v1/grants/{id}/confirm":       {admins: true},
	"DELETE /api/v1/grants/{id}":             {admins: true},
}

// Every route of the network has a rule here, and none lets in who has neither a
// session nor a token but those that say so.
func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()
	d := open(t)
	stranger := d.browser()
	for _, name := range api.RouteNames() {
		r, ok := rules[name]
		if !ok {
			t.Errorf("%s has no rule", name)
			continue
		}
		method, path, _ := strings.Cut(strings.Replace(strings.Replace(name, "/api/v1", "", 1), "{id}", "x", 1), " ")
		if w := stranger.ask(method, path, doc{}, nil); (w.Code == 401) == r.stranger {
			t.Errorf("%s by a stranger: %d", name, w.Code)
		}
	}
	if n := len(api.RouteNames()); n != len(rules) {
		t.Errorf("%d routes, %d rules", n, len(rules))
	}
}

// Each route of alerts, by who holds each role over the alert's commune, over
// another and over the province of both; and a province's alert by who holds a
// commune of it.
func TestRouteRoleTerritory(t *testing.T) {
	t.Parallel()
	const own area.Code = "06673"
	d := open(t)
	admin := d.administrator()
	author := admin.invite("Nguyễn Thị Soạn", "VN", api.Role{Role: account.Author, Territory: province})
	here := author.submits("Extreme", `"`+string(own)+`"`)
	wide := author.submits("Extreme", `"22"`)
	may := func(b *browser, name, id string) bool {
		t.Helper()
		method, path, _ := strings.Cut(strings.Replace(strings.Replace(name, "/api/v1", "", 1), "{id}", id, 1), " ")
		w := b.ask(method, path, doc{"unknown": true}, nil) // let through, it is refused as malformed or is a read
		if w.Code != 200 && w.Code != 400 && w.Code != 403 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		return w.Code != 403
	}
	communes := d.gateway.Areas.Communes(province)
	if !slices.ContainsFunc(communes, func(u area.Unit) bool { return u.Code == own }) {
		t.Fatal("the commune is not of the province")
	}
	elsewhere := communes[0].Code
	if elsewhere == own {
		elsewhere = communes[1].Code
	}
	links := map[api.Role]string{} // all before two can approve, when the set-up phase ends
	for _, role := range account.Roles() {
		for _, territory := range []area.Code{own, elsewhere, province} {
			if role == account.Clerk && territory == province {
				continue // a clerk has a commune
			}
			var in api.Invited
			r := api.Role{Role: role, Territory: territory}
			admin.did(201, "POST", "/people", api.Invitation{Name: "Người trực", Territory: territory, Roles: []api.Role{r}}, &in)
			links[r] = in.Link
		}
	}
	for _, role := range account.Roles() {
		for _, territory := range []area.Code{own, elsewhere, province} {
			link := links[api.Role{Role: role, Territory: territory}]
			if link == "" {
				continue
			}
			b := d.enrol(link, "")
			for name, r := range rules {
				if !strings.Contains(name, "/alerts/{id}") {
					continue
				}
				holds := slices.Contains(r.roles, role)
				if got, want := may(b, name, string(here.ID)), holds && territory != elsewhere; got != want {
					t.Errorf("%s by %s of %s on %s: %v", name, role, territory, own, got)
				}
				if got, want := may(b, name, string(wide.ID)), holds && territory == province; got != want {
					t.Errorf("%s by %s of %s on the province: %v", name, role, territory, got)
				}
			}
			if got, want := b.ask("GET", "/people", nil, nil).Code == 200, role == account.Administrator; got != want {
				t.Errorf("people by %s of %s: %v", role, territory, got)
			}
		}
	}
}
