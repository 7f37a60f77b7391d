package gateway

import "testing"

func TestSiteOf(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]struct{ id, origin string }{
		"http://127.0.0.1:8080":        {"localhost", "http://localhost:8080"},
		"http://[::1]:8080":            {"localhost", "http://localhost:8080"},
		"http://localhost:8080":        {"localhost", "http://localhost:8080"},
		"https://Loa.Example":          {"loa.example", "https://loa.example"},
		"https://loa.example:443/base": {"loa.example", "https://loa.example"},
		"https://loa.example:8443":     {"loa.example", "https://loa.example:8443"},
	} {
		got, ok := siteOf(public)
		if !ok || got.ID != want.id || len(got.Origins) != 1 || got.Origins[0] != want.origin {
			t.Errorf("%s: %+v %v", public, got, ok)
		}
	}
	for _, public := range []string{"https://192.0.2.1", "https://[2001:db8::1]", ""} {
		if got, ok := siteOf(public); ok {
			t.Errorf("%q: %+v", public, got)
		}
	}
}
